import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

@Suite struct HopCacheTests {
    private static let server: UInt32 = 0x0a00_020b

    @Test func remembersAllThereIsToKnow() throws {
        let bed = try TestDirector(serverMTU: 1400, routes: ["10.0.6.0/24 via 10.0.2.16 mtu 900"])
        var cache = HopCache()
        cache.follow(bed.snapshot.view.serial)
        let before = cache.hop(to: Self.server)
        let learnt = cache.learn(Self.server, bed.snapshot.view)
        let far = cache.learn(0x0a00_0609, bed.snapshot.view)
        let remembered = cache.hop(to: Self.server)
        let other = cache.hop(to: 0xc633_6401)
        #expect(before == nil && other == nil)
        let hop = try #require(remembered)
        #expect(hop.address == Self.server && hop.interface == 1 && hop.mtu == 1400 && learnt?.head == hop.head)
        #expect(hop.head == 0x0200_0000_020b_0200 && hop.tail == 0x0000_0201)
        #expect(far?.mtu == 900 && far?.head == 0x0200_0000_0210_0200)
    }

    @Test func otherRoutesOrNeighboursAreAskedAnew() throws {
        let bed = try TestDirector()
        var cache = HopCache()
        cache.follow(bed.snapshot.view.serial)
        _ = cache.learn(Self.server, bed.snapshot.view)
        bed.learn(1, .parse("10.0.2.11"), TestDirector.server(14))
        let old = cache.hop(to: Self.server)
        #expect(old != nil, "not followed yet")
        cache.follow(bed.snapshot.view.serial)
        let forgotten = cache.hop(to: Self.server)
        #expect(forgotten == nil)
        let anew = cache.learn(Self.server, bed.snapshot.view)
        #expect(anew?.head == 0x0200_0000_020e_0200)
        cache.follow(bed.snapshot.view.serial)
        let kept = cache.hop(to: Self.server)
        #expect(kept != nil, "the same snapshot")
    }

    @Test func whatNeedsThoughtIsNotRemembered() throws {
        let bed = try TestDirector(routes: ["blackhole 198.51.101.0/24", "10.0.8.0/24 via inet6 2001:db8:2::11"])
        var cache = HopCache()
        cache.follow(bed.snapshot.view.serial)
        // Without a MAC, nowhere, the host itself, a gateway of the other family.
        for address: IPAddress in [.parse("10.0.2.99"), .parse("198.51.101.1"), .parse("10.0.2.1"), .parse("10.0.8.9")]
        {
            let learnt = cache.learn(address.v4, bed.snapshot.view)
            let remembered = cache.hop(to: address.v4)
            #expect(learnt == nil && remembered == nil, "\(address)")
        }
    }

    /// Against asking each time, over more addresses than there are places.
    @Test func agreesWithTheTables() throws {
        let bed = try TestDirector(routes: ["10.0.6.0/24 via 10.0.2.16", "blackhole 10.0.7.0/24"])
        var random = SeededRandom(seed: 3)
        var cache = HopCache()
        for round in 0..<20_000 {
            if round % 1000 == 0 {
                bed.learn(
                    1, .parse("10.0.2.16"), TestDirector.server(round / 1000 % 6 + 11),
                    round % 3000 == 0 ? .missing : .reachable)
            }
            let view = bed.snapshot.view
            cache.follow(view.serial)
            let network = random.pick([0x0a00_0600, 0x0a00_0700, 0xc633_0000] as [UInt32])
            let address = network &+ UInt32.random(in: 0..<2048, using: &random)
            let hop = cache.hop(to: address) ?? cache.learn(address, view)
            let route = view.plainRoute(to: address)
            let neighbor = route.map { view.neighbor(interface: $0.interface, address: IPAddress(v4: $0.nextHop)) }
            let mac = neighbor?.isUsable == true ? neighbor?.mac : nil
            #expect(hop.map { $0.head >> 16 } == mac?.bits, "\(address)")
        }
    }
}
