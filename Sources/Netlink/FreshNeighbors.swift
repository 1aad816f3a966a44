import Balancer
import Wire

/// A neighbour by interface slot and address.
struct NextHop: Hashable {
    let interface: Int
    let address: IPAddress
}

/// Decides which neighbours the kernel must be asked for so that those the director uses stay known: the kernel sees
/// none of the director's packets, and so would let their entries go stale and then forget them.
struct FreshNeighbors {
    /// Addresses whose next hops are to be kept resolved.
    var destinations: Set<IPAddress> = [] {
        didSet { hops = nil }
    }
    /// Routers: confirmed when stale, but not asked for.
    var gateways: Set<NextHop> = []
    /// When each was last asked for, in seconds.
    private var asked: [NextHop: UInt64] = [:]
    /// The next hops of `destinations`, of which there may be far fewer, by the routes of `known`; nil: not known.
    private var hops: Set<NextHop>?
    private var known: RoutingSnapshot?

    /// Seconds between two requests for a neighbour that is known or not yet known, longer than the kernel takes to
    /// confirm one (5 s of delay, up to 3 s of probing) would only cost a system call.
    static let interval: UInt64 = 5
    /// Seconds until one that did not answer is asked for again.
    static let failedInterval: UInt64 = 10

    /// The neighbours to ask for at `now` (seconds, any epoch); they count as asked for then.
    mutating func due(_ snapshot: RoutingSnapshot, now: UInt64) -> [NextHop] {
        var wanted: [NextHop] = []
        for hop in hops(snapshot) {
            switch snapshot.neighbor(interface: hop.interface, address: hop.address).state {
            case .missing, .stale, .incomplete: ask(hop, every: Self.interval, now, &wanted)
            case .failed: ask(hop, every: Self.failedInterval, now, &wanted)
            case .reachable, .permanent: break
            }
        }
        for hop in gateways where snapshot.neighbor(interface: hop.interface, address: hop.address).state == .stale {
            ask(hop, every: Self.interval, now, &wanted)
        }
        if asked.count > 4 * (hops(snapshot).count + gateways.count) + 64 {
            asked = asked.filter { now < $0.value + Self.failedInterval }
        }
        return wanted
    }

    /// Keep the next hops of these addresses resolved too: costs what they cost, and not what all do.
    mutating func add(_ added: Set<IPAddress>) {
        guard !added.isEmpty else { return }
        let before = hops
        hops = nil
        destinations.formUnion(added)
        guard var before, let known else { return }
        before.formUnion(Self.hops(of: added, known))
        hops = before
    }

    private mutating func hops(_ snapshot: RoutingSnapshot) -> Set<NextHop> {
        if let hops, let known, snapshot.hasRoutes(of: known) { return hops }
        let found = Self.hops(of: destinations, snapshot)
        hops = found
        known = snapshot
        return found
    }

    private static func hops(of destinations: Set<IPAddress>, _ snapshot: RoutingSnapshot) -> Set<NextHop> {
        var hops: Set<NextHop> = []
        for destination in destinations {
            let route = snapshot.route(to: destination)
            if route.isUsable { hops.insert(NextHop(interface: route.interface, address: route.nextHop)) }
        }
        return hops
    }

    private mutating func ask(_ hop: NextHop, every interval: UInt64, _ now: UInt64, _ wanted: inout [NextHop]) {
        if let last = asked[hop], now < last + interval { return }
        asked[hop] = now
        wanted.append(hop)
    }
}
