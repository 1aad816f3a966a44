import TestSupport
import Testing
import Wire

@Suite struct UDPTests {
    @Test func kernelDatagramIsRead() throws {
        try HeapPacket.with(Array(KernelFrames.udpForwarded.packet.dropFirst(20))) { bytes in
            let header = try #require(UDPHeader(bytes))
            #expect(header.sourcePort == 40000 && header.destinationPort == 53)
            #expect(header.datagramLength == 14 && header.hasChecksum)
            #expect(header.payload.array() == Array("query0".utf8))
        }
    }

    @Test func fieldsAreWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0, count: 8)) { bytes in
            let header = UDPHeader(unchecked: bytes)
            header.sourcePort = 0x0102
            header.destinationPort = 0x0304
            header.datagramLength = 0x0506
        }
        #expect(written == hexadecimal("01020304 05060000"))
    }

    @Test func zeroIsSentAsAllOnes() {
        let zero = HeapPacket.changing([0, 1, 0, 2, 0, 8, 0, 0]) { bytes in
            let header = UDPHeader(unchecked: bytes)
            #expect(!header.hasChecksum)
            header.normalizeChecksum()
            #expect(header.hasChecksum)
        }
        #expect(zero == [0, 1, 0, 2, 0, 8, 0xff, 0xff])
        #expect(
            HeapPacket.changing([0, 1, 0, 2, 0, 8, 0, 7]) { UDPHeader(unchecked: $0).normalizeChecksum() }.last == 7)
    }

    @Test(arguments: 0..<8) func shortDatagramsAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(UDPHeader($0) == nil) }
    }
}
