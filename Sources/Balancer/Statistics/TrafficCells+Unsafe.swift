public import CPrefetch
public import Synchronization

/// One worker's counters of one service or destination: a cache line, one writer.
@usableFromInline
struct TrafficCell: ~Copyable {
    @usableFromInline let connections = Atomic<UInt64>(0)
    @usableFromInline let inPackets = Atomic<UInt64>(0)
    @usableFromInline let outPackets = Atomic<UInt64>(0)
    @usableFromInline let inBytes = Atomic<UInt64>(0)
    @usableFromInline let outBytes = Atomic<UInt64>(0)
    @usableFromInline let pad0: UInt64 = 0
    @usableFromInline let pad1: UInt64 = 0
    @usableFromInline let pad2: UInt64 = 0
    @usableFromInline init() {}
}

/// The counters of every service or every destination, by worker and slot. Readers sum over the workers.
@safe
public final class TrafficCells: @unchecked Sendable {
    let cells: UnsafeMutablePointer<TrafficCell>
    let block: UnsafeMutableRawBufferPointer
    let provider: MemoryProvider
    let slots: Int
    let workers: Int

    /// Counters for `slots` slots and `workers` workers.
    public init(slots: Int, workers: Int, provider: MemoryProvider) {
        self.slots = slots
        self.workers = workers
        self.provider = provider
        unsafe block = provider.allocate(slots * workers * MemoryLayout<TrafficCell>.stride)
        unsafe cells = block.baseAddress.unsafelyUnwrapped.bindMemory(
            to: TrafficCell.self, capacity: slots * workers)
    }

    deinit { unsafe provider.release(block) }

    /// The sums of a slot.
    public func total(_ slot: UInt32) -> TrafficCounters {
        var total = TrafficCounters()
        for worker in 0..<workers {
            let cell = unsafe cells + (worker * slots + Int(slot))
            unsafe total.connections &+= cell.pointee.connections.load(ordering: .relaxed)
            unsafe total.inPackets &+= cell.pointee.inPackets.load(ordering: .relaxed)
            unsafe total.outPackets &+= cell.pointee.outPackets.load(ordering: .relaxed)
            unsafe total.inBytes &+= cell.pointee.inBytes.load(ordering: .relaxed)
            unsafe total.outBytes &+= cell.pointee.outBytes.load(ordering: .relaxed)
        }
        return total
    }

    /// The lines that `worker` writes.
    public func row(worker: Int) -> TrafficRow { unsafe TrafficRow(cells + worker * slots) }
}

/// One worker's counters, by slot.
@safe
public struct TrafficRow {
    @usableFromInline let cells: UnsafeMutablePointer<TrafficCell>
    init(_ cells: UnsafeMutablePointer<TrafficCell>) { unsafe self.cells = cells }

    @inlinable @inline(__always)
    static func add(_ counter: borrowing Atomic<UInt64>, _ amount: UInt64) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// Ask the cache for a slot's counters.
    @inlinable @inline(__always)
    public func prefetch(_ slot: UInt32) { unsafe CPrefetch_line(cells + Int(slot)) }

    /// Count a packet from a client, `bytes` being its IP total length.
    @inlinable @inline(__always)
    public func countIn(_ slot: UInt32, bytes: Int) {
        unsafe Self.add(cells[Int(slot)].inPackets, 1)
        unsafe Self.add(cells[Int(slot)].inBytes, UInt64(truncatingIfNeeded: bytes))
    }

    /// Count a packet from a server, `bytes` being its IP total length.
    @inlinable @inline(__always)
    public func countOut(_ slot: UInt32, bytes: Int) {
        unsafe Self.add(cells[Int(slot)].outPackets, 1)
        unsafe Self.add(cells[Int(slot)].outBytes, UInt64(truncatingIfNeeded: bytes))
    }

    /// Count a connection.
    @inlinable @inline(__always)
    public func countConnection(_ slot: UInt32) { unsafe Self.add(cells[Int(slot)].connections, 1) }
}

extension TrafficCounters {
    /// Field by field.
    public static func - (left: TrafficCounters, right: TrafficCounters) -> TrafficCounters {
        TrafficCounters(
            connections: left.connections &- right.connections, inPackets: left.inPackets &- right.inPackets,
            outPackets: left.outPackets &- right.outPackets, inBytes: left.inBytes &- right.inBytes,
            outBytes: left.outBytes &- right.outBytes)
    }
}
