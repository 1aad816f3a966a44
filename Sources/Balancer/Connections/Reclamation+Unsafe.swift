public import Synchronization

/// A worker's part in reclamation (epoch-based: Fraser, "Practical lock-freedom", 2004, §5.2.3).
///
/// What leaves the table, or a snapshot that was replaced, may still be read by workers inside a batch. It is freed when
/// the global epoch has moved twice since: by then every worker has passed a quiescent point. One thread owns a value.
public struct Participant: ~Copyable {
    @usableFromInline let table: ConnectionTable
    @usableFromInline let number: Int

    /// The participant `number`: a worker's number, or beyond the workers one of the readers.
    @inlinable
    public init(_ table: ConnectionTable, number: Int) {
        self.table = table
        self.number = number
    }

    /// Begin to read. Until `leave`, nothing that is found is reclaimed.
    @inlinable
    public func enter() {
        unsafe table.epochs[number].seen.store(table.epoch, ordering: .sequentiallyConsistent)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// End reading: before waiting for frames, or at the end of a listing.
    @inlinable
    public func leave() { unsafe table.epochs[number].seen.store(UInt64.max, ordering: .releasing) }

    /// Pass a quiescent point: nothing found before is used after. Moves the epoch when everybody has.
    /// - Returns: the epoch now.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    public func quiesce() -> UInt64 {
        let epoch = table.epoch
        unsafe table.epochs[number].seen.store(epoch, ordering: .sequentiallyConsistent)
        let now = table.advanceEpoch(epoch)
        // What is read from here on is not older than the epoch that was seen: pairs with the fence in `Expiry.bury`.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return now
    }
}

extension ConnectionTable {
    /// The global epoch.
    @inlinable @inline(__always)
    public var epoch: UInt64 { unsafe shared.pointee.epoch.load(ordering: .sequentiallyConsistent) }

    /// Move the epoch on if every participant has seen it.
    @inlinable
    func advanceEpoch(_ epoch: UInt64) -> UInt64 {
        for number in 0..<participants {
            let seen = unsafe epochs[number].seen.load(ordering: .sequentiallyConsistent)
            guard seen == epoch || seen == UInt64.max else { return epoch }
        }
        let result = unsafe shared.pointee.epoch.compareExchange(
            expected: epoch, desired: epoch &+ 1, ordering: .sequentiallyConsistent)
        return result.exchanged ? epoch &+ 1 : result.original
    }
}
