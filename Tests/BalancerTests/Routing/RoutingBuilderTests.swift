import Balancer
import Testing
import Wire

@Suite struct RoutingBuilderTests {
    @Test func hostAddressesAreLocalAndBroadcastOnes() throws {
        let snapshot = try RouteTableTests.bed(["local 203.0.112.0/24 dev lo"])
        #expect(
            Set(snapshot.hostAddresses.map(\.description)) == [
                "192.0.2.1", "192.0.2.255", "203.0.113.80", "2001:db8:1::1", "10.0.2.1", "10.0.2.255", "2001:db8:2::1",
                "fe80::1", "::1",
            ])
    }

    @Test func neighborsCanBeReplaced() throws {
        let before = try RouteTableTests.bed()
        let address = IPAddress(v4: 0x0a00_020b)
        let after = before.replacing(
            neighbors: NeighborTable([Neighbor(interface: 1, address: address, mac: MACAddress(bits: 5))]))
        #expect(before.view.neighbor(interface: 1, address: address).state == .missing)
        #expect(after.view.neighbor(interface: 1, address: address).mac == MACAddress(bits: 5))
        #expect(after.view.route(to: address) == before.view.route(to: address))
        #expect(after.hostAddresses == before.hostAddresses)
    }

    @Test func aBadTextIsNamed() {
        #expect(throws: RouteParseError.self) {
            try RoutingBuilder(interfaces: [], routeTexts: ["default via x"], neighbors: [])
        }
    }
}
