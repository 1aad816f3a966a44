import TestSupport
import Testing
import Wire

@Suite struct EthernetTests {
    @Test func kernelFrameIsRead() throws {
        try HeapPacket.with(KernelFrames.tcpRequest) { bytes in
            let header = try #require(EthernetHeader(bytes))
            #expect(header.destination.description == "02:00:00:00:01:01")
            #expect(header.source.description == "02:00:00:00:01:fe")
            #expect(header.type == EtherType.ipv4)
            #expect(header.payload.array() == KernelFrames.tcpRequest.packet)
        }
    }

    @Test func saysWhetherItGoesToAnAddress() {
        let destination = MACAddress(bits: 0x0200_0000_0101)
        for other: UInt64 in [0x0200_0000_0101, 0x0200_0000_0102, 0x0300_0000_0101, 0] {
            HeapPacket.with([UInt8](repeating: 0xff, count: 14)) {
                let header = EthernetHeader(unchecked: $0)
                header.destination = destination
                #expect(header.isTo(MACAddress(bits: other)) == (other == destination.bits))
            }
        }
    }

    @Test func fieldsAreWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0, count: 14)) { bytes in
            let header = EthernetHeader(unchecked: bytes)
            header.destination = .broadcast
            header.source = MACAddress(bits: 0x0200_0000_0201)
            header.type = EtherType.arp
        }
        #expect(written == hexadecimal("ffffffffffff 020000000201 0806"))
    }

    @Test(arguments: 0..<14) func shortFramesAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(EthernetHeader($0) == nil) }
    }

    @Test func aFrameMayEndWithItsHeader() {
        HeapPacket.with([UInt8](repeating: 0, count: 14)) { #expect(EthernetHeader($0)?.payload.count == 0) }
    }
}
