import TestSupport
import Testing
import Wire

@Suite struct TCPTests {
    @Test func kernelSegmentIsRead() throws {
        try HeapPacket.with(Array(KernelFrames.tcpRequest.packet.dropFirst(20))) { bytes in
            let header = try #require(TCPHeader(bytes))
            #expect(header.sourcePort == 40000 && header.destinationPort == 80)
            #expect(header.sequence == 1000 && header.acknowledgement == 0)
            #expect(header.headerLength == 20 && header.flags == .syn)
            #expect(header.window == 64240 && header.urgentPointer == 0)
            #expect(header.options.count == 0 && header.payload.count == 0)
        }
    }

    @Test func fieldsAreWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0, count: 20)) { bytes in
            let header = TCPHeader(unchecked: bytes)
            header.sourcePort = 0x0102
            header.destinationPort = 0x0304
            header.sequence = 0x0506_0708
            header.acknowledgement = 0x090a_0b0c
            header.headerLength = 24
            header.flags = [.syn, .ack]
            header.window = 0x0d0e
            header.urgentPointer = 0x0f10
        }
        #expect(written == hexadecimal("01020304 05060708 090a0b0c 60120d0e 00000f10"))
    }

    @Test func optionsAreNotPayload() throws {
        let segment = PacketBuilder.tcp(from: "192.0.2.1:7", to: "192.0.2.2:9", .ack, payload: [5, 6, 7])
            .setting(\.transportOptions, [2, 4, 5, 0xb4, 1, 1, 1, 0]).segment()
        try HeapPacket.with(segment) { bytes in
            let header = try #require(TCPHeader(bytes))
            #expect(header.headerLength == 28)
            #expect(header.options.array() == [2, 4, 5, 0xb4, 1, 1, 1, 0])
            #expect(header.payload.array() == [5, 6, 7])
        }
    }

    @Test(arguments: [(0x50, 19), (0x40, 20), (0x00, 20), (0x60, 20), (0xf0, 59)])
    func impossibleLengthsAreRefused(_ row: (UInt8, Int)) {
        var segment = [UInt8](repeating: 0, count: row.1)
        segment[12] = row.0
        HeapPacket.with(segment) { #expect(TCPHeader($0) == nil) }
    }

    @Test func flagsHaveTheirBits() {
        let flags: [TCPFlags] = [.fin, .syn, .rst, .psh, .ack, .urg, .ece, .cwr]
        #expect(flags.map(\.rawValue) == [1, 2, 4, 8, 16, 32, 64, 128])
    }
}
