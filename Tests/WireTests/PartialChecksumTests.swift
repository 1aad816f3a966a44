import TestSupport
import Testing

@testable import Wire

@Suite struct PartialChecksumTests {
    private func build(_ transportProtocol: UInt8, _ isV6: Bool) -> HeapPacket {
        HeapPacket(PartialChecksumTests.bytes(transportProtocol, isV6))
    }

    /// An Ethernet frame with 8 bytes of payload behind a TCP or UDP header, its checksum field zero.
    static func bytes(_ transportProtocol: UInt8, _ isV6: Bool) -> [UInt8] {
        let transport: [UInt8] =
            transportProtocol == IPProtocol.tcp
            ? [0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0] + Array(1...8)
            : [0x12, 0x34, 0, 53, 0, 16, 0, 0] + Array(1...8)
        let network: [UInt8] =
            isV6
            ? [0x60, 0, 0, 0, 0, UInt8(transport.count), transportProtocol, 64]
                + [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
                + [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [2]
            : [
                0x45, 0, 0, UInt8(20 + transport.count), 0, 0, 0, 0, 64, transportProtocol, 0, 0, 10, 0, 0, 1, 10, 0, 0,
                2,
            ]
        return [UInt8](repeating: 2, count: 12) + (isV6 ? [0x86, 0xdd] : [8, 0]) + network + transport
    }

    @Test(arguments: [IPProtocol.tcp, IPProtocol.udp], [false, true])
    func theBarePseudoHeaderIsRecognised(transportProtocol: UInt8, isV6: Bool) {
        let packet = build(transportProtocol, isV6)
        let start = 14 + (isV6 ? 40 : 20)
        let offset = transportProtocol == IPProtocol.tcp ? 16 : 6
        let source = isV6 ? IPAddress(v6: packet.bytes, at: 22) : IPAddress(v4: packet.bytes, at: 26)
        let destination = isV6 ? IPAddress(v6: packet.bytes, at: 38) : IPAddress(v4: packet.bytes, at: 30)
        let transport = packet.bytes.dropping(start)
        let bare = Checksum.fold(
            Checksum.pseudoHeader(source, destination, transportProtocol: transportProtocol, length: transport.count))
        transport.storeRaw(bare, offset)
        var facts = OffloadFacts()
        facts.recognizePartialChecksum(in: packet.bytes)
        #expect(facts.needsChecksum)
        #expect(facts.checksumStart == UInt16(start))
        #expect(facts.checksumOffset == UInt16(offset))
        #expect(!facts.isSuperFrame)

        // Completed, it is what a full computation gives, and no longer recognised.
        TransportChecksum.complete(transport, at: offset, isUDP: transportProtocol == IPProtocol.udp)
        let completed: UInt16 = transport.loadRaw(offset)
        TransportChecksum.fill(
            transport, at: offset, source: source, destination: destination, transportProtocol: transportProtocol)
        let full: UInt16 = transport.loadRaw(offset)
        #expect(completed == full)
        var after = OffloadFacts()
        after.recognizePartialChecksum(in: packet.bytes)
        #expect(!after.needsChecksum)
    }

    @Test func otherPacketsAreLeftAlone() {
        var fragment = Self.bytes(IPProtocol.udp, false)
        fragment[20] = 0x20
        var other = Self.bytes(IPProtocol.udp, false)
        other[23] = IPProtocol.icmp
        var short = Self.bytes(IPProtocol.tcp, false)
        short.removeLast(20)
        var arp = Self.bytes(IPProtocol.udp, false)
        arp[13] = 6
        for bytes in [fragment, other, short, arp, Array(short.prefix(10)), Self.bytes(IPProtocol.udp, true)] {
            let packet = HeapPacket(bytes)
            var facts = OffloadFacts()
            facts.recognizePartialChecksum(in: packet.bytes)
            #expect(facts == OffloadFacts())
        }
    }
}
