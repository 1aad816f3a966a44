import Balancer
import Testing
import Wire

@testable import Netlink

@Suite struct FreshNeighborsTests {
    private let interface = NetworkInterface(
        slot: 0, name: "eth0", mac: .zero, addresses: ["10.0.0.1/24"].compactMap(InterfaceAddress.init))
    private let near = IPAddress(v4: 0x0a00_0009)
    private let router = IPAddress(v4: 0x0a00_0002)
    private let far = IPAddress(v4: 0xc612_0001)

    private func snapshot(_ states: [IPAddress: NeighborState]) throws -> RoutingSnapshot {
        try RoutingBuilder(
            interfaces: [interface], routeTexts: ["198.18.0.0/15 via 10.0.0.2", "unreachable 172.16.0.0/12"],
            neighbors: states.map { Neighbor(interface: 0, address: $0, mac: MACAddress(bits: 1), state: $1) }
        ).build()
    }

    private func hop(_ address: IPAddress) -> NextHop { NextHop(interface: 0, address: address) }

    @Test func asksForTheNextHopsOfDestinations() throws {
        var fresh = FreshNeighbors()
        func due(_ snapshot: RoutingSnapshot, now: UInt64) -> [NextHop] { fresh.due(snapshot, now: now) }
        fresh.destinations = [near, far, IPAddress(v4: 0xac10_0001), IPAddress(v4: 0x0808_0808)]
        #expect(Set(due(try snapshot([:]), now: 100)) == [hop(near), hop(router)])
    }

    @Test func whatIsAddedIsAskedForByTheRoutesInForce() throws {
        var fresh = FreshNeighbors()
        fresh.add([near])
        let first = try snapshot([:])
        #expect(fresh.due(first, now: 100) == [hop(near)])
        fresh.add([far])
        #expect(fresh.due(first, now: 100) == [hop(router)])
        // Without the route there is nobody to ask; with it again, there is.
        let without = try RoutingBuilder(interfaces: [interface], routeTexts: [], neighbors: []).build()
        #expect(fresh.due(without, now: 200) == [hop(near)])
        #expect(Set(fresh.due(try snapshot([:]), now: 300)) == [hop(near), hop(router)])
        fresh.destinations = [far]
        #expect(fresh.due(first, now: 400) == [hop(router)])
    }

    @Test func asksOnceInAWhile() throws {
        var fresh = FreshNeighbors()
        func due(_ snapshot: RoutingSnapshot, now: UInt64) -> [NextHop] { fresh.due(snapshot, now: now) }
        fresh.destinations = [near]
        let (stale, failed) = (try snapshot([near: .stale]), try snapshot([near: .failed]))
        #expect(due(stale, now: 100) == [hop(near)])
        #expect(due(stale, now: 104) == [])
        #expect(due(stale, now: 105) == [hop(near)])
        #expect(due(failed, now: 114) == [])
        #expect(due(failed, now: 115) == [hop(near)])
    }

    @Test(arguments: [NeighborState.reachable, .permanent]) func leavesKnownOnesAlone(state: NeighborState) throws {
        var fresh = FreshNeighbors()
        func due(_ snapshot: RoutingSnapshot, now: UInt64) -> [NextHop] { fresh.due(snapshot, now: now) }
        fresh.destinations = [near]
        fresh.gateways = [hop(router)]
        #expect(due(try snapshot([near: state, router: state]), now: 100) == [])
    }

    @Test func confirmsRoutersButDoesNotAskForThem() throws {
        var fresh = FreshNeighbors()
        func due(_ snapshot: RoutingSnapshot, now: UInt64) -> [NextHop] { fresh.due(snapshot, now: now) }
        fresh.gateways = [hop(router)]
        #expect(due(try snapshot([:]), now: 100) == [])
        #expect(due(try snapshot([router: .failed]), now: 100) == [])
        #expect(due(try snapshot([router: .stale]), now: 100) == [hop(router)])
    }

    @Test func theLimiterLetsEachThroughTenTimesASecond() {
        var limiter = ProbeLimiter()
        func admits(_ hop: NextHop, now: UInt64) -> Bool { limiter.admits(hop, now: now) }
        #expect(admits(hop(near), now: 1000))
        #expect(!admits(hop(near), now: 1099))
        #expect(admits(hop(router), now: 1099))
        #expect(admits(hop(near), now: 1100))
    }
}
