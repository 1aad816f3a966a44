public import Balancer
import Synchronization

/// How a received frame ended.
public enum FrameEnd: UInt8, CaseIterable, Sendable {
    /// Sent on.
    case forward
    /// Left to the host.
    case pass
    /// Answered by us.
    case reply
    /// Dropped, for a `DropReason`.
    case drop
}

/// Counts how each received frame ended; the sum of the ends equals the frames received, less those that wait (for other
/// fragments, for a neighbour). One writer, any reader.
@safe
public final class EndCounters: @unchecked Sendable {
    let cells: UnsafeMutablePointer<Atomic<UInt64>>
    private static let count = 8 + DropReason.allCases.count

    /// All zero.
    public init() {
        unsafe cells = .allocate(capacity: Self.count)
        for place in 0..<Self.count { unsafe (cells + place).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe cells.deinitialize(count: Self.count)
        unsafe cells.deallocate()
    }

    /// What the one writer counts with.
    public var row: EndRow { unsafe EndRow(cells) }

    /// Frames that ended so.
    public func total(_ end: FrameEnd) -> UInt64 { unsafe cells[Int(end.rawValue)].load(ordering: .relaxed) }
    /// Frames dropped for this reason.
    public func total(_ reason: DropReason) -> UInt64 {
        unsafe cells[8 + Int(reason.rawValue)].load(ordering: .relaxed)
    }
    /// Frames received.
    public var received: UInt64 { unsafe cells[4].load(ordering: .relaxed) }
    /// Frames that wait.
    public var waiting: UInt64 { unsafe cells[5].load(ordering: .relaxed) }
    /// Frames that the director made itself: errors, fragments, replies.
    public var made: UInt64 { unsafe cells[6].load(ordering: .relaxed) }
    /// Embryonic entries given up to make room.
    public var evicted: UInt64 { unsafe cells[7].load(ordering: .relaxed) }
}

/// The writer's side of `EndCounters`, which must outlive it.
@safe
public struct EndRow {
    let cells: UnsafeMutablePointer<Atomic<UInt64>>
    init(_ cells: UnsafeMutablePointer<Atomic<UInt64>>) { unsafe self.cells = cells }

    func add(_ place: Int, _ amount: UInt64 = 1) {
        unsafe cells[place].store(cells[place].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    func count(_ end: FrameEnd, _ amount: Int = 1) { add(Int(end.rawValue), UInt64(amount)) }
    func count(_ reason: DropReason, _ amount: Int = 1) {
        add(Int(FrameEnd.drop.rawValue), UInt64(amount))
        add(8 &+ Int(reason.rawValue), UInt64(amount))
    }
    func withdraw(_ end: FrameEnd) { add(Int(end.rawValue), UInt64.max) }
    func countReceived() { add(4) }
    func wait(_ amount: Int) { add(5, UInt64(bitPattern: Int64(amount))) }
    func countMade(_ amount: Int = 1) { add(6, UInt64(amount)) }
    func countEvicted() { add(7) }
}
