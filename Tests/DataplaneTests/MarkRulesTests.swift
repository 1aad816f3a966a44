import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Rules that give packets firewall marks.
@Suite struct MarkRulesTests {
    private static let key = FlowKey(
        source: .parse("198.51.100.1"), destination: .parse("203.0.113.80"), sourcePort: 40000, destinationPort: 80,
        transportProtocol: IPProtocol.tcp)

    private func mark(_ rules: MarkRule..., interface: Int = 0) -> UInt32 {
        var table = MarkRules()
        let added = rules.map { table.append($0) }
        #expect(!added.contains(false))
        return table.mark(Self.key, interface: interface)
    }

    static let matching: [MarkRule] = [
        MarkRule(mark: 5), MarkRule(source: .parse("198.51.100.1"), mark: 5),
        MarkRule(source: .parse("198.51.100.0"), sourceLength: 24, mark: 5),
        MarkRule(destination: .parse("203.0.113.0"), destinationLength: 24, mark: 5),
        MarkRule(transportProtocol: IPProtocol.tcp, destinationPort: 80, interface: 0, mark: 5),
    ]
    static let other: [MarkRule] = [
        MarkRule(source: .parse("198.51.100.2"), mark: 5),
        MarkRule(source: .parse("198.51.101.0"), sourceLength: 24, mark: 5),
        MarkRule(destination: .parse("203.0.113.81"), mark: 5),
        MarkRule(destination: .parse("2001:db8::"), destinationLength: 0, mark: 5),
        MarkRule(transportProtocol: IPProtocol.udp, mark: 5), MarkRule(destinationPort: 81, mark: 5),
        MarkRule(interface: 1, mark: 5),
    ]

    @Test(arguments: matching)
    func matches(rule: MarkRule) { #expect(mark(rule) == 5) }

    @Test(arguments: other)
    func doesNotMatch(rule: MarkRule) { #expect(mark(rule) == 0) }

    /// As nft rules one after the other, each of which sets the mark.
    @Test func theLastRuleThatMatchesCounts() {
        #expect(mark(MarkRule(mark: 1), MarkRule(mark: 2), MarkRule(destinationPort: 81, mark: 3)) == 2)
    }

    @Test func isBounded() {
        var table = MarkRules()
        let added = (0...MarkRules.capacity).map { _ in table.append(MarkRule(mark: 1)) }
        #expect(added == [Bool](repeating: true, count: MarkRules.capacity) + [false])
        #expect(table.count == MarkRules.capacity)
    }
}
