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
