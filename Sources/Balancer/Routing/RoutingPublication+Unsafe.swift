import Synchronization

/// The routes and neighbours in force: one pointer that workers load, replaced by whoever follows the host's.
@safe
public final class RoutingPublication: @unchecked Sendable {
    @safe
    private final class Kept {
        let snapshot: RoutingSnapshot
        let view: UnsafeMutablePointer<RoutingView>
        init(_ snapshot: RoutingSnapshot) {
            self.snapshot = snapshot
            unsafe view = .allocate(capacity: 1)
            unsafe view.initialize(to: snapshot.view)
        }
        deinit { unsafe view.deallocate() }
    }

    private struct History {
        var current: Kept
        var retired: [(kept: Kept, epoch: UInt64)] = []
    }

    private let table: ConnectionTable
    private let pointer: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<RoutingView>>>
    private let history: Mutex<History>

    /// Publish a first snapshot. Replaced ones are freed by `table`'s epochs.
    public init(_ snapshot: RoutingSnapshot, table: ConnectionTable) {
        self.table = table
        let kept = Kept(snapshot)
        unsafe pointer = .allocate(capacity: 1)
        unsafe pointer.initialize(to: Atomic(kept.view))
        history = Mutex(History(current: kept))
    }

    deinit { unsafe pointer.deallocate() }

    /// What workers read; valid until their next quiescent point.
    public var view: RoutingView { unsafe pointer.pointee.load(ordering: .acquiring).pointee }

    /// The snapshot in force. Control side.
    public var snapshot: RoutingSnapshot { history.withLock { $0.current.snapshot } }

    /// Put a snapshot in force. Any thread but a worker.
    public func publish(_ snapshot: RoutingSnapshot) {
        history.withLock { history in
            let kept = Kept(snapshot)
            unsafe pointer.pointee.store(kept.view, ordering: .sequentiallyConsistent)
            history.retired.append((history.current, table.epoch))
            history.current = kept
            let epoch = table.advanceEpoch(table.epoch)
            history.retired.removeAll { $0.epoch &+ 2 <= epoch }
        }
    }
}
