import Testing
import Wire

@testable import Balancer

/// SplitMix64: the same numbers for the same seed.
struct RoutingRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// The packet path's view of a lookup: it must be callable where nothing may allocate or lock.
@_noAllocation @_noLocks
private func hotPath(_ view: RoutingView, _ address: IPAddress) -> MACAddress {
    let route = view.route(to: address)
    if view.isLocal(address) { return MACAddress(bits: 0) }
    return view.neighbor(interface: route.interface, address: route.nextHop).mac
}

@Suite struct RouteTableTests {
    static let interfaces = [
        NetworkInterface(
            slot: 0, name: "eth0", mac: MACAddress(bits: 0x0200_0000_0101),
            addresses: ["192.0.2.1/24", "203.0.113.80/32", "2001:db8:1::1/64"].compactMap(InterfaceAddress.init)),
        NetworkInterface(
            slot: 1, name: "eth1", mac: MACAddress(bits: 0x0200_0000_0201), mtu: 1400,
            addresses: ["10.0.2.1/24", "2001:db8:2::1/64", "fe80::1/64"].compactMap(InterfaceAddress.init)),
    ]

    /// The bed of the recordings.
    static func bed(_ more: [String] = []) throws -> RoutingSnapshot {
        let texts = [
            "default via 192.0.2.254", "10.0.9.0/24 via 10.0.2.254", "default via 2001:db8:1::fe",
            "2001:db8:9::/64 via 2001:db8:2::fe",
        ]
        let router = Neighbor(
            interface: 0, address: try #require(IPAddress("192.0.2.254")), mac: MACAddress(bits: 0x0200_0000_01fe))
        return try RoutingBuilder(interfaces: interfaces, routeTexts: texts + more, neighbors: [router]).build()
    }

    @Test(
        arguments: [
            ("198.51.100.7", "192.0.2.254", 0, "192.0.2.1", 1500), ("10.0.2.11", "10.0.2.11", 1, "10.0.2.1", 1400),
            ("10.0.9.21", "10.0.2.254", 1, "10.0.2.1", 1400), ("192.0.2.77", "192.0.2.77", 0, "192.0.2.1", 1500),
            ("2001:db8:2::11", "2001:db8:2::11", 1, "2001:db8:2::1", 1400),
            ("2001:db8:9::11", "2001:db8:2::fe", 1, "2001:db8:2::1", 1400),
            ("2a00::1", "2001:db8:1::fe", 0, "2001:db8:1::1", 1500), ("fe80::9", "fe80::9", 1, "fe80::1", 1400),
        ])
    func unicast(address: String, nextHop: String, interface: Int, source: String, mtu: Int) throws {
        let destination = try #require(IPAddress(address))
        let result = try Self.bed().route(to: destination)
        #expect(
            result
                == RouteResult(
                    kind: .unicast, nextHop: try #require(IPAddress(nextHop)), hasGateway: nextHop != address,
                    interface: interface, source: try #require(IPAddress(source)), mtu: mtu))
        #expect(result.isUsable)
    }

    @Test(
        arguments: [
            ("192.0.2.1", RouteKind.local), ("203.0.113.80", .local), ("203.0.113.81", .unicast), ("127.9.9.9", .local),
            ("::1", .local), ("2001:db8:2::1", .local), ("192.0.2.255", .broadcast), ("172.16.1.9", .unreachable),
            ("172.16.2.9", .blackhole), ("172.16.3.9", .prohibit), ("172.16.4.9", .unicast), ("172.16.5.9", .missing),
            ("203.0.112.1", .local),
        ])
    func kinds(address: String, kind: RouteKind) throws {
        let destination = try #require(IPAddress(address))
        let snapshot = try Self.bed([
            "unreachable 172.16.1.0/24", "blackhole 172.16.2.0/24", "ip route add prohibit 172.16.3.0/24",
            "throw 172.16.5.0/24", "local 203.0.112.0/24 dev lo",
        ])
        #expect(snapshot.route(to: destination).kind == kind)
        #expect(snapshot.isLocal(destination) == (kind == .local))
        if kind == .local { #expect(snapshot.route(to: destination).source == destination) }
    }

    @Test func localTableIsAskedFirst() throws {
        let snapshot = try Self.bed(["local 203.0.112.0/24 dev lo", "203.0.112.128/25 via 10.0.2.254"])
        #expect(snapshot.isLocal(try #require(IPAddress("203.0.112.200"))))
    }

    @Test func lowestMetricWinsThenTheFirst() throws {
        let snapshot = try Self.bed([
            "198.18.0.0/15 via 10.0.2.254 metric 20", "198.18.0.0/15 via 192.0.2.254 metric 10",
            "198.18.0.0/15 via 192.0.2.253 metric 10",
        ])
        #expect(snapshot.route(to: try #require(IPAddress("198.18.1.1"))).nextHop == IPAddress("192.0.2.254"))
    }

    @Test func anUnattachedInterfaceIsNotUsable() throws {
        let result = try Self.bed(["10.9.0.0/16 dev eth7"]).route(to: try #require(IPAddress("10.9.1.1")))
        #expect(result.interface == -1 && result.kind == .unicast && !result.isUsable)
    }

    @Test func anEmptyTableHasNoRoutes() {
        let table = RouteTable(routes: [], interfaces: [])
        for address in [IPAddress(v4: 0), IPAddress(v4: .max), IPAddress.anyV6, IPAddress(high: .max, low: .max)] {
            #expect(table.view.lookup(address).kind == .missing)
            #expect(!table.view.isLocal(address))
        }
    }

    @Test func theHotPathReadsIt() throws {
        let snapshot = try Self.bed()
        #expect(hotPath(snapshot.view, try #require(IPAddress("8.8.8.8"))) == MACAddress(bits: 0x0200_0000_01fe))
        withExtendedLifetime(snapshot) {}
    }

    /// Against the definition: of the routes that match, those of the local table first, then the longest, then the
    /// lowest metric, then the first.
    @Test(arguments: [1, 7, 60, 900], [UInt64(1), 2, 3])
    func agreesWithALinearScan(count: Int, seed: UInt64) {
        var random = RoutingRandom(state: seed)
        // Few distinct leading bits, so that prefixes nest and repeat.
        func address(_ family: AddressFamily) -> IPAddress {
            let few = random.next() & 0x0103_0103_0103_0103
            return family == .v4
                ? IPAddress(v4: UInt32(truncatingIfNeeded: few) << 6 ^ UInt32(truncatingIfNeeded: random.next() & 3))
                : IPAddress(high: few << 7, low: random.next() & 0xc000_0000_0000_0003)
        }
        var routes: [Route] = []
        for index in 0..<count {
            let family: AddressFamily = random.next() & 1 == 0 ? .v4 : .v6
            routes.append(
                Route(
                    destination: address(family), prefixLength: Int.random(in: 0...family.bits, using: &random),
                    kind: random.next() & 7 == 0 ? .local : .unicast, gateway: IPAddress(v4: UInt32(index)),
                    interface: 0, metric: UInt32(random.next() & 3)))
        }
        func expected(_ address: IPAddress) -> Route? {
            let matching = routes.enumerated().filter { _, route in
                route.destination.family == address.family
                    && route.destination.masked(route.prefixLength) == address.masked(route.prefixLength)
            }
            return matching.min { left, right in
                let (one, two) = (left.element, right.element)
                return (one.isInLocalTable ? 0 : 1, -one.prefixLength, one.metric, left.offset)
                    < (two.isInLocalTable ? 0 : 1, -two.prefixLength, two.metric, right.offset)
            }?.element
        }
        let table = RouteTable(routes: routes, interfaces: [])
        var probes: [IPAddress] = [IPAddress(v4: 0), IPAddress(v4: .max), .anyV6, IPAddress(high: .max, low: .max)]
        for _ in 0..<500 { probes.append(address(random.next() & 1 == 0 ? .v4 : .v6)) }
        for probe in probes {
            let (result, route) = (table.view.lookup(probe), expected(probe))
            #expect(result.kind == route?.kind ?? .missing, "\(probe)")
            #expect(result.nextHop == route?.gateway ?? probe, "\(probe)")
            #expect(table.view.isLocal(probe) == (route?.kind == .local))
            guard probe.isV4 else { continue }
            let plain = table.view.plainLookup(probe.v4)
            #expect((plain != nil) == result.isUsable && table.view.isPlainLocal(probe.v4) == (route?.kind == .local))
            if let plain { #expect(plain.nextHop == result.nextHop.v4 && plain.interface == result.interface) }
        }
    }

    @Test func plainRoutesAreThoseOfFrames() throws {
        let snapshot = try Self.bed([
            "10.0.6.0/24 via 10.0.2.254 mtu 900", "10.0.8.0/24 via inet6 2001:db8:2::a00:20c",
            "blackhole 172.16.2.0/24",
        ])
        func plain(_ text: String) throws -> PlainRoute? {
            withExtendedLifetime(snapshot) { snapshot.view.plainRoute(to: IPAddress.parse(text).v4) }
        }
        let narrow = try #require(try plain("10.0.6.1"))
        #expect(narrow.nextHop == IPAddress.parse("10.0.2.254").v4 && narrow.interface == 1 && narrow.mtu == 900)
        for text in ["10.0.8.1", "172.16.2.1", "192.0.2.1", "192.0.2.255", "127.0.0.1"] {
            #expect(try plain(text) == nil, "\(text)")
        }
    }
}
