import Balancer
import Testing
import Wire

/// A cache that expectations may ask: they cannot hold what cannot be copied.
private final class Holder {
    private var cache = PathMTUCache()
    func mtu(to address: IPAddress, route: Int, now: Tick) -> Int { cache.mtu(to: address, route: route, now: now) }
    func mtuInUse(to address: IPAddress, route: Int, now: Tick) -> Int {
        cache.mtuInUse(to: address, route: route, now: now)
    }
    func learn(_ address: IPAddress, reported: Int, now: Tick) { cache.learn(address, reported: reported, now: now) }
}

@Suite("Path MTU cache")
struct PathMTUCacheTests {
    private let server = IPAddress(v4: 0x0a00_090d)

    @Test("what was learned holds for ten minutes")
    func life() {
        let cache = Holder()
        #expect(cache.mtu(to: server, route: 1500, now: 5) == 1500)
        cache.learn(server, reported: 1400, now: 5)
        #expect(cache.mtu(to: server, route: 1500, now: 5) == 1400)
        #expect(cache.mtu(to: server, route: 1300, now: 5) == 1300)
        #expect(cache.mtu(to: IPAddress(v4: 0x0a00_090c), route: 1500, now: 5) == 1500)
        let end = 5 &+ PathMTUCache.life
        #expect(cache.mtu(to: server, route: 1500, now: end &- 1) == 1400)
        #expect(cache.mtu(to: server, route: 1500, now: end) == 1500)
    }

    @Test("a higher MTU than the one known is not believed, a tiny one is raised")
    func bounds() {
        let cache = Holder()
        cache.learn(server, reported: 1400, now: 0)
        cache.learn(server, reported: 1450, now: 0)
        #expect(cache.mtu(to: server, route: 1500, now: 0) == 1400)
        cache.learn(server, reported: 0, now: 0)
        #expect(cache.mtu(to: server, route: 1500, now: 0) == 552)
        let six = IPAddress(high: 0x2001_0db8_0000_0000, low: 9)
        cache.learn(six, reported: 600, now: 0)
        #expect(cache.mtu(to: six, route: 1500, now: 0) == 1280)
    }

    @Test("the MTU in use changes with the next packet")
    func inUse() {
        let cache = Holder()
        #expect(cache.mtuInUse(to: server, route: 1500, now: 0) == 1500)
        cache.learn(server, reported: 1400, now: 0)
        #expect(cache.mtuInUse(to: server, route: 1500, now: 0) == 1500)
        _ = cache.mtu(to: server, route: 1500, now: 0)
        #expect(cache.mtuInUse(to: server, route: 1500, now: 0) == 1400)
        cache.learn(server, reported: 1400, now: 1)
        #expect(cache.mtuInUse(to: server, route: 1500, now: 1) == 1400)
        cache.learn(server, reported: 1300, now: 2)
        #expect(cache.mtuInUse(to: server, route: 1500, now: 2) == 1300, "one that is in use follows at once")
    }

    @Test("more addresses than places: each answer is right or the route's")
    func crowded() {
        let cache = Holder()
        let addresses = (0..<2000).map { IPAddress(v4: 0x0a00_0000 + UInt32($0)) }
        for (index, address) in addresses.enumerated() { cache.learn(address, reported: 600 + index % 800, now: 0) }
        var known = 0
        for (index, address) in addresses.enumerated() {
            let mtu = cache.mtu(to: address, route: 1500, now: 0)
            #expect(mtu == 1500 || mtu == 600 + index % 800)
            if mtu != 1500 { known += 1 }
        }
        #expect(known > PathMTUCache.capacity / 2 && known <= PathMTUCache.capacity)
    }
}
