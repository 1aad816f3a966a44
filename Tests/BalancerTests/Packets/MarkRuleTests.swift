import TestSupport
import Testing
import Wire

@testable import Balancer

private func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV6 }

/// Rules that give packets firewall marks.
@Suite struct MarkRuleTests {
    private static let key = FlowKey(
        source: address("198.51.100.1"), destination: address("203.0.113.80"), sourcePort: 40000, destinationPort: 80,
        transportProtocol: IPProtocol.tcp)

    private let engine = Engine(
        EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))

    private func mark(_ rules: MarkRule..., interface: Int = 0) throws -> UInt32 {
        for rule in rules { try engine.addMark(rule) }
        return withExtendedLifetime(engine) { engine.serviceTable.mark(of: Self.key, interface: interface) }
    }

    static let matching: [MarkRule] = [
        MarkRule(mark: 5), MarkRule(source: address("198.51.100.1"), mark: 5),
        MarkRule(source: address("198.51.100.0"), sourceLength: 24, mark: 5),
        MarkRule(destination: address("203.0.113.0"), destinationLength: 24, mark: 5),
        MarkRule(transportProtocol: IPProtocol.tcp, destinationPort: 80, interface: 0, mark: 5),
        MarkRule(transportProtocol: IPProtocol.tcp, sourcePort: 40000, mark: 5),
    ]
    static let other: [MarkRule] = [
        MarkRule(source: address("198.51.100.2"), mark: 5),
        MarkRule(source: address("198.51.101.0"), sourceLength: 24, mark: 5),
        MarkRule(destination: address("203.0.113.81"), mark: 5),
        MarkRule(destination: address("2001:db8::"), destinationLength: 0, mark: 5),
        MarkRule(transportProtocol: IPProtocol.udp, mark: 5), MarkRule(destinationPort: 81, mark: 5),
        MarkRule(sourcePort: 40001, mark: 5), MarkRule(interface: 1, mark: 5),
    ]

    @Test(arguments: matching)
    func matches(rule: MarkRule) throws { #expect(try mark(rule) == 5) }

    @Test(arguments: other)
    func doesNotMatch(rule: MarkRule) throws { #expect(try mark(rule) == 0) }

    /// As nft rules one after the other, each of which sets the mark.
    @Test func theLastRuleThatMatchesCounts() throws {
        #expect(try mark(MarkRule(mark: 1), MarkRule(mark: 2), MarkRule(destinationPort: 81, mark: 3)) == 2)
    }

    @Test func isBoundedAndHasNoDuplicates() throws {
        for number in 1...UInt32(MarkRule.capacity) { try engine.addMark(MarkRule(mark: number)) }
        #expect(throws: MarkError.tableFull) { try engine.addMark(MarkRule(mark: 1000)) }
        #expect(throws: MarkError.exists) { try engine.addMark(MarkRule(mark: 7)) }
        try engine.removeMark(MarkRule(mark: 64))
        #expect(throws: MarkError.noSuchRule) { try engine.removeMark(MarkRule(mark: 64)) }
        #expect(withExtendedLifetime(engine) { engine.serviceTable.mark(of: Self.key, interface: 0) } == 63)
    }

    /// A whole address with a service behind its mark is a virtual address.
    @Test func addressesOfMarkedServicesAreOwned() throws {
        let virtual = address("203.0.113.80")
        try engine.addMark(MarkRule(destination: virtual, mark: 5))
        try engine.addMark(MarkRule(destination: address("203.0.114.0"), destinationLength: 24, mark: 5))
        #expect(!engine.serviceTable.owns(virtual))
        #expect(!engine.serviceTable.hasMark(5, isV4: true))
        try engine.addService(VirtualService(key: .mark(5, family: .v4)))
        #expect(engine.serviceTable.owns(virtual) && !engine.serviceTable.owns(address("203.0.114.0")))
        #expect(engine.serviceTable.hasMark(5, isV4: true) && !engine.serviceTable.hasMark(5, isV4: false))
        try engine.removeService(.mark(5, family: .v4))
        #expect(!engine.serviceTable.owns(virtual))
    }
}

extension IPAddress {
    fileprivate static func parse(_ text: String) -> IPAddress { Endpoint(stringLiteral: text).address }
}
