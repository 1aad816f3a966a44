public import Balancer
import Glibc
import Synchronization
public import Wire

/// Follows the host's links, addresses, routes and neighbours on a thread of its own, and hands out a new snapshot after
/// each change, a few milliseconds later, so that a burst of changes makes one snapshot.
///
/// Everything happens in the network namespace of the thread that made it. Its methods may be called on any thread.
public final class RoutingMonitor: Sendable {
    private let loop: MonitorLoop
    private let thread = Mutex<MonitorThread?>(nil)

    /// Read everything once; `start` follows the changes.
    ///
    /// - Parameters:
    ///   - interfaces: Names of the director's interfaces; slots are their places.
    ///   - localClients: The device of `LocalClients`, which has the slot behind these; nil: none.
    /// - Throws: `noSuchInterface` when one is not there, else what the kernel said.
    public init(interfaces: [String], localClients: String? = nil) throws(NetlinkError) {
        let reader = try RoutingReader(interfaces: interfaces, clients: localClients)
        guard let snapshot = try reader.read() else { throw .timeout("dump routes") }
        if let absent = snapshot.interfaces.first(where: { $0.kernelIndex == 0 }) {
            throw .noSuchInterface(absent.name)
        }
        loop = try MonitorLoop(reader, snapshot)
    }

    deinit { stop() }

    /// The latest snapshot.
    public var snapshot: RoutingSnapshot { loop.state.withLock { $0.snapshot } }

    /// Follow changes from now on; what changed since `init` comes first. To be called once.
    ///
    /// - Parameters:
    ///   - onFailure: Called on the monitor's thread when the kernel refused to be read; it is tried again.
    ///   - onChange: Called on the monitor's thread with each new snapshot.
    public func start(
        onFailure: @escaping @Sendable (NetlinkError) -> Void = { _ in },
        onChange: @escaping @Sendable (RoutingSnapshot) -> Void
    ) throws(NetlinkError) {
        let loop = loop
        let started = try MonitorThread("fl-routes") { loop.run(onFailure: onFailure, onChange: onChange) }
        thread.withLock { $0 = started }
    }

    /// Stop following and wait for the thread to end, unless called on it.
    public func stop() {
        loop.change { $0.isStopping = true }
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let running, !running.isCurrent { running.join() }
    }

    /// Have a neighbour resolved, or confirmed when it is stale. Costs one system call unless it was asked for within
    /// the last tenth of a second; the answer comes as a new snapshot, with the state `failed` after about 3 s when
    /// there is none.
    ///
    /// - Parameters:
    ///   - slot: The interface.
    ///   - address: The neighbour: `RouteResult.nextHop`.
    public func resolve(interface slot: Int, address: IPAddress) throws(NetlinkError) {
        let now = monotonicMilliseconds()
        let index: UInt32? = loop.state.withLock { state in
            let snapshot = state.snapshot
            guard snapshot.interfaces.indices.contains(slot), snapshot.interfaces[slot].kernelIndex != 0 else {
                return nil
            }
            switch snapshot.neighbor(interface: slot, address: address).state {
            case .reachable, .permanent: return nil
            case .missing, .incomplete, .failed, .stale: break
            }
            guard state.limiter.admits(NextHop(interface: slot, address: address), now: now) else { return nil }
            return snapshot.interfaces[slot].kernelIndex
        }
        if let index { try loop.probe.resolve(interface: index, address: address) }
    }

    /// Keep the next hops of these addresses resolved, whatever becomes of the routes: those of all destinations in the
    /// rules. Replaces the set given before. Routers are kept fresh without being named.
    public func keepFresh(_ destinations: Set<IPAddress>) {
        loop.change { ($0.destinations, $0.added) = (destinations, []) }
    }

    /// Keep the next hops of these addresses resolved too.
    public func keepFresh(adding destinations: Set<IPAddress>) {
        loop.change { $0.added.formUnion(destinations) }
    }
}

/// Milliseconds since some moment, never going back.
func monotonicMilliseconds() -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
}

/// Lets each neighbour be asked for ten times a second at most. Bounded: when it has seen too many it forgets them all.
struct ProbeLimiter {
    /// Milliseconds between two requests for one neighbour.
    static let interval: UInt64 = 100
    private static let capacity = 8192
    private var last: [NextHop: UInt64] = [:]

    /// Whether a request may go out at `now` (milliseconds); it counts as sent.
    mutating func admits(_ hop: NextHop, now: UInt64) -> Bool {
        if let before = last[hop], now < before + Self.interval { return false }
        if last.count >= Self.capacity { last.removeAll(keepingCapacity: true) }
        last[hop] = now
        return true
    }
}
