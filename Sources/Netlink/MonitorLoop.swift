import Balancer
import Glibc
import Synchronization
import SystemPackage
import Wire

/// The routing monitor's thread, and what it shares with the monitor's callers.
///
/// `reader` and `fresh` belong to whoever made the loop until `run` is called, and to its thread from then on.
final class MonitorLoop: @unchecked Sendable {
    /// What the thread and the callers share.
    struct State {
        var snapshot: RoutingSnapshot
        /// Destinations that the thread has not taken yet: all there are from now on, and those that came to them.
        var destinations: Set<IPAddress>?
        var added: Set<IPAddress> = []
        var isStopping = false
        /// Whether a byte waits in the pipe.
        var isWaking = false
        var limiter = ProbeLimiter()
    }

    let state: Mutex<State>
    let probe: NeighborProbe
    private let reader: RoutingReader
    private var fresh = FreshNeighbors()
    private let woken: FileDescriptor
    private let waker: FileDescriptor

    /// Milliseconds that a burst of changes is gathered for.
    private static let gathering: UInt64 = 5
    /// Milliseconds between two looks at neighbours that should stay fresh.
    private static let period: UInt64 = 1000

    init(_ reader: RoutingReader, _ snapshot: RoutingSnapshot) throws(NetlinkError) {
        self.reader = reader
        probe = try NeighborProbe()
        state = Mutex(State(snapshot: snapshot))
        fresh.gateways = reader.gateways
        do {
            (woken, waker) = try FileDescriptor.pipe()
        } catch {
            throw .call("open a pipe for", object: "the routing monitor", error as? Errno ?? .ioError, detail: nil)
        }
    }

    deinit {
        try? woken.close()
        try? waker.close()
    }

    /// Change the shared state and make the thread look at it.
    func change(_ body: (inout State) -> Void) {
        let isFirst = state.withLock { state in
            body(&state)
            defer { state.isWaking = true }
            return !state.isWaking
        }
        if isFirst { _ = try? waker.writeAll([1]) }
    }

    /// Follow changes until told to stop.
    func run(
        onFailure: @Sendable (NetlinkError) -> Void, onChange: @Sendable (RoutingSnapshot) -> Void
    ) {
        // How long the last reading took: tables of many routes are not read more than half of the time.
        var cost: UInt64 = 0
        var next = monotonicMilliseconds()
        while !state.withLock({ $0.isStopping }) {
            do throws(NetlinkError) {
                let now = monotonicMilliseconds()
                if now >= next {
                    refresh(now: now)
                    next = now + Self.period
                }
                let patience = reader.hasChanges ? 0 : Int32(next - now)
                if try waitForEither(reader.descriptor, woken.rawValue, milliseconds: patience) {
                    drainPipe(woken)
                    state.withLock { $0.isWaking = false }
                    next = 0
                    continue
                }
                try reader.drain()
                guard reader.hasChanges else { continue }
                _ = try waitReadable(woken.rawValue, milliseconds: Int32(clamping: max(Self.gathering, cost)))
                try reader.drain()
                let began = monotonicMilliseconds()
                let snapshot = try reader.read()
                cost = monotonicMilliseconds() - began
                if let snapshot {
                    publish(snapshot)
                    onChange(snapshot)
                    next = 0
                }
            } catch {
                onFailure(error)
                _ = try? waitReadable(woken.rawValue, milliseconds: 200)
            }
        }
    }

    private func publish(_ snapshot: RoutingSnapshot) {
        state.withLock { $0.snapshot = snapshot }
        fresh.gateways = reader.gateways
    }

    /// Ask for the neighbours that need it. A refusal (the interface just went) is no matter: the next look will tell.
    private func refresh(now: UInt64) {
        let (snapshot, destinations, added) = state.withLock { state in
            defer { (state.destinations, state.added) = (nil, []) }
            return (state.snapshot, state.destinations, state.added)
        }
        if let destinations { fresh.destinations = destinations }
        fresh.add(added)
        for hop in fresh.due(snapshot, now: now / 1000) {
            let index = snapshot.interfaces[hop.interface].kernelIndex
            guard index != 0 else { continue }
            try? probe.resolve(interface: index, address: hop.address)
        }
    }
}
