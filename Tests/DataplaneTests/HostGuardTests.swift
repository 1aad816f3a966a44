import PacketIO
import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// What the rules make ours.
@Suite struct HostGuardTests {
    @Test func coversServicesAndServers() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
        try bed.serve("192.0.2.1:53", IPProtocol.udp, ["10.0.2.12:53"], method: .directRouting)
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, ["[2001:db8:2::11]:80"], method: .tunneling)
        let traffic = bed.engine.ownedTraffic { bed.snapshot.isLocal($0) }
        #expect(
            Set(traffic.virtual.map { "\($0.transportProtocol) \($0.address) \($0.port)" }) == [
                "6 203.0.113.80 80", "17 192.0.2.1 53", "6 2001:db8:80::80 80",
            ])
        #expect(traffic.servers.map { "\($0.address) \($0.port)" } == ["10.0.2.11 8080"], "only NAT's replies are ours")
        #expect(traffic.errorsAbout == [.parse("2001:db8:2::11")])
        #expect(Set(traffic.addresses) == [TestDirector.virtual.address, TestDirector.virtualV6.address])
        #expect(traffic.arpFor == [TestDirector.virtual.address], "the host answers for its own address")
        #expect(traffic.ndFor == [TestDirector.virtualV6.address])
    }

    /// Replies of FULLNAT servers come to local addresses, which are ours whole.
    @Test func coversLocalAddresses() throws {
        let bed = try TestDirector()
        let key = TestDirector.key(TestDirector.virtualV6, IPProtocol.tcp)
        try bed.engine.addService(VirtualService(key: key))
        let locals: [IPAddress] = [.parse("10.0.2.101"), .parse("2001:db8:2::101")]
        for local in locals { try bed.engine.addLocalAddress(local, to: key) }
        try bed.add("10.0.2.11:80", to: key, method: .fullNAT)
        let traffic = bed.engine.ownedTraffic { bed.snapshot.isLocal($0) }
        #expect(Set(traffic.addresses) == Set(locals + [TestDirector.virtualV6.address]))
        #expect(traffic.arpFor == [locals[0]])
        #expect(Set(traffic.ndFor) == [locals[1], TestDirector.virtualV6.address])
        #expect(traffic.servers.isEmpty)
    }

    /// Of those that the host has too, it stays the owner.
    @Test func coversUpperPortsOfTheHostsAddresses() throws {
        let bed = try TestDirector()
        bed.engine.network = { [snapshot = bed.snapshot] in snapshot }
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        var service = VirtualService(key: key)
        service.masquerade = .all
        try bed.engine.addService(service)
        try bed.engine.addLocalAddress(.parse("10.0.2.1"), to: key)
        let traffic = bed.engine.ownedTraffic { bed.snapshot.isLocal($0) }
        #expect(traffic.besideHost == [.parse("10.0.2.1")])
        #expect(traffic.addresses == [TestDirector.virtual.address] && traffic.arpFor == traffic.addresses)
    }

    /// A real server that is deleted while a connection lives: its replies stay ours, as the kernel goes on translating
    /// them, and requests stay ours where the service is deleted as well.
    @Test func coversConnectionsOfDeletedServers() throws {
        let bed = try TestDirector()
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
        let server = try #require(bed.engine.rules[key]?.destinations.first)
        let state = bed.engine.slots.destination(server.slot)
        state.bind(isTemplate: false, isActive: true)
        try bed.engine.removeDestination(server.destination.key, of: key)
        func traffic() -> OwnedTraffic { bed.engine.ownedTraffic { bed.snapshot.isLocal($0) } }
        #expect(traffic().servers.map { "\($0.address) \($0.port)" } == ["10.0.2.11 8080"])
        #expect(traffic().virtual.count == 1)
        try bed.engine.removeService(key)
        #expect(traffic().virtual.map(\.port) == [80])
        #expect(traffic().addresses.isEmpty, "the address itself is no longer ours")
        state.unbind(isTemplate: false, isActive: true)
        #expect(traffic() == OwnedTraffic())
    }

    /// Whole addresses that are marked for a service are virtual addresses; prefixes are routed here.
    @Test func coversMarkedTraffic() throws {
        let bed = try TestDirector()
        let whole = MarkRule(destination: .parse("203.0.113.90"), destinationLength: 32, mark: 5)
        let prefix = MarkRule(destination: .parse("203.0.114.0"), destinationLength: 24, mark: 5)
        let other = MarkRule(destination: .parse("203.0.113.91"), destinationLength: 32, mark: 6)
        for rule in [whole, prefix, other] { #expect(bed.mark(rule)) }
        #expect(bed.engine.ownedTraffic { _ in false }.addresses.isEmpty)
        try bed.engine.addService(VirtualService(key: .mark(5, family: .v4)))
        let traffic = bed.engine.ownedTraffic { _ in false }
        #expect(traffic.addresses == [.parse("203.0.113.90")] && traffic.arpFor == traffic.addresses)
        #expect(
            traffic.marked == [
                MarkedTraffic(rule: whole, isOurs: true), MarkedTraffic(rule: prefix, isOurs: true),
                MarkedTraffic(rule: other, isOurs: false),
            ])
        #expect(bed.engine.ownedTraffic { _ in true }.addresses.isEmpty, "where the host has the address, it answers")
    }

    @Test func withoutAddressesOfItsOwnOnlyTheHostsAreServed() throws {
        let bed = try TestDirector(ownsAddresses: false)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
        try bed.serve("192.0.2.1:53", IPProtocol.udp, ["10.0.2.12:53"])
        let traffic = bed.engine.ownedTraffic { bed.snapshot.isLocal($0) }
        #expect(traffic.virtual.map { "\($0.address) \($0.port)" } == ["192.0.2.1 53"])
        #expect(traffic.addresses.isEmpty && traffic.arpFor.isEmpty && traffic.ndFor.isEmpty)
        #expect(traffic.servers.count == 2, "entries that live on still have replies")
        #expect(!bed.engine.serviceTable.owns(TestDirector.virtual.address))
    }
}
