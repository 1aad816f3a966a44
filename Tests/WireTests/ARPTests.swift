import TestSupport
import Testing
import Wire

@Suite struct ARPTests {
    /// Who has 203.0.113.80? Tell 192.0.2.254, at 02:00:00:00:01:fe.
    static let request = hexadecimal("0001 0800 06 04 0001 0200000001fe c00002fe 000000000000 cb007150")

    @Test func requestIsRead() throws {
        // With Ethernet padding.
        try HeapPacket.with(Self.request + [UInt8](repeating: 0, count: 18)) { bytes in
            let packet = try #require(ARPPacket(bytes))
            #expect(packet.operation == ARPOperation.request)
            #expect(packet.senderMAC.description == "02:00:00:00:01:fe")
            #expect(packet.senderAddress.description == "192.0.2.254")
            #expect(packet.targetMAC == .zero)
            #expect(packet.targetAddress.description == "203.0.113.80")
        }
    }

    @Test func replyIsWritten() {
        let reply = HeapPacket.changing([UInt8](repeating: 0xee, count: 28)) { bytes in
            ARPPacket(unchecked: bytes).emit(
                operation: ARPOperation.reply, senderMAC: MACAddress(bits: 0x0200_0000_0101),
                senderAddress: IPAddress(v4: 0xcb00_7150), targetMAC: MACAddress(bits: 0x0200_0000_01fe),
                targetAddress: IPAddress(v4: 0xc000_02fe))
            #expect(ARPPacket(bytes)?.operation == ARPOperation.reply)
        }
        #expect(reply == hexadecimal("0001 0800 06 04 0002 020000000101 cb007150 0200000001fe c00002fe"))
    }

    @Test(arguments: [(0, 1), (1, 6), (2, 0x86), (3, 6), (4, 8), (5, 16)])
    func otherKindsAreRefused(_ row: (Int, UInt8)) {
        var packet = Self.request
        packet[row.0] = row.1
        HeapPacket.with(packet) { #expect(ARPPacket($0) == nil) }
    }

    @Test(arguments: 0..<28) func shortPacketsAreRefused(length: Int) {
        HeapPacket.with(Array(Self.request.prefix(length))) { #expect(ARPPacket($0) == nil) }
    }
}
