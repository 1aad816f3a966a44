import TestSupport
import Testing

@testable import Wire

@Suite struct UnmarkedSuperFrameTests {
    /// An Ethernet frame with `payload` bytes behind a TCP or UDP header.
    private func build(_ transportProtocol: UInt8, isV6: Bool, payload: Int) -> HeapPacket {
        let transport: [UInt8] =
            transportProtocol == IPProtocol.tcp
            ? [0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x10, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0]
            : [0x12, 0x34, 0, 53, UInt8((8 + payload) >> 8), UInt8((8 + payload) & 255), 0, 0]
        let length = transport.count + payload + (isV6 ? 0 : 20)
        let high = UInt8(length >> 8)
        let low = UInt8(length & 255)
        let network: [UInt8] =
            isV6
            ? [0x60, 0, 0, 0, high, low, transportProtocol, 64] + [UInt8](repeating: 1, count: 32)
            : [0x45, 0, high, low, 0, 0, 0, 0, 64, transportProtocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        return HeapPacket(
            [UInt8](repeating: 2, count: 12) + (isV6 ? [0x86, 0xdd] : [8, 0]) + network + transport
                + [UInt8](repeating: 7, count: payload))
    }

    private func facts(_ packet: HeapPacket, mtu: Int = 1500) -> OffloadFacts {
        var facts = OffloadFacts()
        facts.recognizeSuperFrame(in: packet.bytes, mtu: mtu)
        return facts
    }

    @Test(arguments: [false, true]) func aLongTCPPacketIsOne(isV6: Bool) {
        let facts = facts(build(IPProtocol.tcp, isV6: isV6, payload: 9000))
        let network = isV6 ? 40 : 20
        #expect(facts.isSuperFrame)
        #expect(
            facts.segmentation == (isV6 ? OffloadFacts.Segmentation.tcpv6 : OffloadFacts.Segmentation.tcpv4))
        #expect(facts.segmentSize == UInt16(1280 - network - 24))
        #expect(facts.headerLength == UInt16(14 + network + 24))
        #expect(facts.needsChecksum)
        #expect(facts.checksumStart == UInt16(14 + network))
        #expect(facts.checksumOffset == 16)
    }

    @Test func segmentsFitTheInterface() {
        #expect(facts(build(IPProtocol.tcp, isV6: false, payload: 9000), mtu: 900).segmentSize == 900 - 44)
        #expect(!facts(build(IPProtocol.tcp, isV6: false, payload: 9000), mtu: 44).isSuperFrame)
    }

    @Test(arguments: [false, true]) func oneThatFitsIsNot(isV6: Bool) {
        let network = isV6 ? 40 : 20
        #expect(!facts(build(IPProtocol.tcp, isV6: isV6, payload: 1500 - network - 24)).isSuperFrame)
        #expect(facts(build(IPProtocol.tcp, isV6: isV6, payload: 1501 - network - 24)).isSuperFrame)
    }

    @Test func otherLongPacketsAreLeftAlone() {
        #expect(facts(build(IPProtocol.udp, isV6: false, payload: 9000)) == OffloadFacts())
        #expect(facts(build(IPProtocol.udp, isV6: true, payload: 9000)) == OffloadFacts())
        // A fragment, and one whose length says more than is there.
        let fragment = build(IPProtocol.tcp, isV6: false, payload: 9000)
        fragment.bytes.store(UInt8(0x20), 20)
        #expect(facts(fragment) == OffloadFacts())
        let cut = build(IPProtocol.tcp, isV6: false, payload: 9000)
        #expect(facts(HeapPacket((0..<4000).map { cut.bytes.load($0) })) == OffloadFacts())
    }
}
