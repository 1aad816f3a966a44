import Testing

@testable import PacketIO

@Suite struct PortTests {
    @Test func everyKindHasANameAndASummary() {
        #expect(PortKind.allCases.map(\.name) == ["packet", "xdp", "pcap", "tun", "capture", "loopback"])
        #expect(Set(PortKind.allCases.map(\.summary)).count == PortKind.allCases.count)
    }
}
