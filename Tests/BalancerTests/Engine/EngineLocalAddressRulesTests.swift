import Testing
import Wire

@testable import Balancer

/// Which addresses may be local addresses of FULLNAT, and who owns them.
@Suite struct EngineLocalAddressRulesTests {
    private let engine = Engine(
        EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))

    private static func key(_ address: String) throws -> ServiceKey {
        .address(transportProtocol: IPProtocol.tcp, address: try #require(IPAddress(address)), port: 80)
    }

    private func serve(_ address: String) throws -> ServiceKey {
        let key = try Self.key(address)
        try engine.addService(VirtualService(key: key))
        return key
    }

    /// The director's network: 10.0.2.1/24 and 192.0.2.0/31, a host at 10.0.2.11, another that does not answer.
    private func attach() throws {
        let interfaces = [
            NetworkInterface(
                slot: 0, name: "eth0", mac: MACAddress(bits: 0x0200_0000_0001),
                addresses: ["10.0.2.1/24", "192.0.2.0/31", "2001:db8:2::1/64"].compactMap { InterfaceAddress($0) })
        ]
        let neighbors = [
            Neighbor(
                interface: 0, address: try #require(IPAddress("10.0.2.11")), mac: MACAddress(bits: 0x0200_0000_000b),
                state: .stale),
            Neighbor(interface: 0, address: try #require(IPAddress("10.0.2.12")), mac: .zero, state: .failed),
        ]
        let snapshot = try RoutingBuilder(interfaces: interfaces, routeTexts: [], neighbors: neighbors).build()
        engine.network = { snapshot }
    }

    @Test(
        arguments: [
            ("10.0.2.11", .neighbor), ("10.0.2.255", .broadcast), ("10.0.2.0", .broadcast), ("10.0.2.1", .host),
            ("2001:db8:2::1", .host), ("192.0.2.0", .host), ("240.0.0.1", .broadcast), ("0.1.2.3", .unspecified),
            ("::", .unspecified), ("ff02::1", .multicast),
        ] as [(String, LocalAddressProblem)])
    func refusesWhatIsNotOurs(text: String, problem: LocalAddressProblem) throws {
        try attach()
        let key = try serve("2001:db8::80")
        let address = try #require(IPAddress(text))
        let before = engine.revision
        #expect(throws: RuleError.unusableLocalAddress(problem)) { try engine.addLocalAddress(address, to: key) }
        #expect(engine.revision == before && engine.localAddresses.isEmpty)
    }

    @Test(arguments: ["10.0.2.12", "10.0.2.13", "192.0.2.1", "172.16.0.0", "2001:db8:2::11"])
    func takesTheOthers(text: String) throws {
        try attach()
        let key = try serve("2001:db8::80")
        try engine.addLocalAddress(try #require(IPAddress(text)), to: key)
        #expect(engine.localAddresses == [try #require(IPAddress(text))])
    }

    /// A service with a masquerade rule takes the host's own addresses: not whole, and where the host gives its own
    /// connections other ports.
    @Test(arguments: ["10.0.2.1", "2001:db8:2::1"])
    func aMasqueradeRuleTakesTheHostsAddresses(text: String) throws {
        try attach()
        let key = try serve("2001:db8::80")
        let address = try #require(IPAddress(text))
        var service = VirtualService(key: key)
        service.masquerade = .all
        try engine.editService(service)
        engine.hostPorts = { [1024...8079, 8081...65_535] }
        #expect(throws: RuleError.unusableLocalAddress(.hostPorts(8081...65_535))) {
            try engine.addLocalAddress(address, to: key)
        }
        engine.hostPorts = { [32_768...60_999] }
        try engine.addLocalAddress(address, to: key)
        #expect(engine.localAddresses.isEmpty && engine.localAddressesOfHost == [address])
        #expect(!engine.serviceTable.owns(address), "the host answers for it")
        _ = try serve(text)
        let other = try serve("2001:db8::81")
        #expect(throws: RuleError.unusableLocalAddress(.virtual)) { try engine.addLocalAddress(address, to: other) }
    }

    @Test func isOwnedWhileAPoolHasIt() throws {
        let first = try serve("203.0.113.80")
        let second = try serve("203.0.113.81")
        let address = try #require(IPAddress("10.0.2.101"))
        #expect(!engine.serviceTable.owns(address))
        try engine.addLocalAddress(address, to: first)
        try engine.addLocalAddress(address, to: second)
        #expect(engine.serviceTable.owns(address))
        #expect(throws: RuleError.virtualAddressIsLocal) { _ = try serve("10.0.2.101") }
        try engine.removeLocalAddress(address, of: first)
        #expect(engine.serviceTable.owns(address))
        try engine.removeService(second)
        // A worker might still take a port of it, until the snapshot that lists it is gone.
        for second in 1...4 { engine.advance(milliseconds: UInt64(second) * 1000) }
        #expect(!engine.serviceTable.owns(address) && engine.localAddresses.isEmpty)
        _ = try serve("10.0.2.101")
    }

    @Test func aVirtualAddressIsNoLocalOne() throws {
        let key = try serve("203.0.113.80")
        _ = try serve("203.0.113.81")
        let address = try #require(IPAddress("203.0.113.81"))
        #expect(throws: RuleError.unusableLocalAddress(.virtual)) { try engine.addLocalAddress(address, to: key) }
    }

    /// Replies of NAT64 come by IPv4, whatever family the services have.
    @Test func familiesOfPoolsAreLookedAt() throws {
        let key = try serve("2001:db8::80")
        #expect(engine.serviceTable.countV4 == 0)
        try engine.addLocalAddress(try #require(IPAddress("10.0.2.101")), to: key)
        #expect(engine.serviceTable.countV4 == 1 && engine.serviceTable.countV6 == 1 && engine.serviceTable.count == 1)
    }

    @Test(
        arguments: [
            ("203.0.113.80", "2001:db8:2::11", ForwardingMethod.fullNAT, false),
            ("2001:db8::80", "10.0.2.11", .fullNAT, true), ("2001:db8::80", "10.0.2.11", .masquerading, false),
            ("203.0.113.80", "2001:db8:2::11", .tunneling, true),
            ("203.0.113.80", "2001:db8:2::11", .directRouting, false),
        ])
    func familiesMixWhereTheyCan(virtual: String, server: String, method: ForwardingMethod, isTaken: Bool) throws {
        let key = try serve(virtual)
        try engine.addLocalAddress(try #require(IPAddress("10.0.2.101")), to: key)
        let destination = Destination(
            key: DestinationKey(address: try #require(IPAddress(server)), port: 80), method: method)
        if isTaken {
            try engine.addDestination(destination, to: key)
        } else {
            #expect(throws: RuleError.familyMismatch) { try engine.addDestination(destination, to: key) }
        }
    }
}
