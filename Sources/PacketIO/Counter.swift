import Synchronization

/// A count that one thread at a time writes and any thread reads. No order with other memory is implied.
struct Counter: ~Copyable {
    private let value = Atomic<UInt64>(0)

    /// Add `count`; the writer's thread only, so that a load and a store do.
    @_noAllocation @_noLocks
    func add(_ count: Int) {
        value.store(value.load(ordering: .relaxed) &+ UInt64(bitPattern: Int64(count)), ordering: .relaxed)
    }

    /// Add `count` from any thread.
    func addShared(_ count: UInt64) { value.wrappingAdd(count, ordering: .relaxed) }

    /// The count.
    var current: UInt64 { value.load(ordering: .relaxed) }
}

/// The counts behind `PortStatistics`.
struct PortCounters: ~Copyable {
    let received = Counter()
    let transmitted = Counter()
    let receiveDrops = Counter()
    let transmitDrops = Counter()

    /// All four as they stand; not one moment's picture.
    var statistics: PortStatistics {
        var statistics = PortStatistics()
        statistics.received = received.current
        statistics.transmitted = transmitted.current
        statistics.receiveDrops = receiveDrops.current
        statistics.transmitDrops = transmitDrops.current
        return statistics
    }
}
