public import Synchronization

/// Sizes of a connection table, fixed when it is made.
public struct TableSize: Hashable, Sendable {
    /// Most entries, templates included.
    public var entries: Int
    /// Most workers.
    public var workers: Int

    /// From its parts.
    public init(entries: Int = 1 << 18, workers: Int = 1) {
        self.entries = max(entries, 64)
        self.workers = min(max(workers, 1), 255)
    }

    /// Home lines of the hash: 7 slots each, two slots an entry, 65 % taken when every entry is in use.
    var homeLines: Int { max(entries * 11 / 25, 16) }
    /// Overflow lines, shared by all homes. In a full table with turnover 9 % of the keys are in them, and they are half
    /// taken: what lies there stays there when its home line has room again.
    var overflowLines: Int { max(entries * 7 / 125, 16) }
}

/// One line of the hash: a word that says what lives, and seven slots; 64 bytes.
///
/// Word of a home line: bits 0…6 are the live slots of the home line, 7…13, 14…20 and so on those of the home's overflow
/// lines. An overflow line is shared by many homes; its word is not used.
/// A slot: the hash's low half above, below it the direction (bit 31: reply) and the entry's index plus one; 0: free.
@usableFromInline
struct TableLine: ~Copyable {
    @usableFromInline let word = Atomic<UInt64>(0)
    @usableFromInline let slot0 = Atomic<UInt64>(0)
    @usableFromInline let slot1 = Atomic<UInt64>(0)
    @usableFromInline let slot2 = Atomic<UInt64>(0)
    @usableFromInline let slot3 = Atomic<UInt64>(0)
    @usableFromInline let slot4 = Atomic<UInt64>(0)
    @usableFromInline let slot5 = Atomic<UInt64>(0)
    @usableFromInline let slot6 = Atomic<UInt64>(0)

    @usableFromInline init() {}

    /// Slots of a line.
    @inlinable static var slots: Int { 7 }
    /// Lines of a home: its own and seven overflow lines.
    @inlinable static var chain: Int { 8 }
    /// The live bits of the home line itself.
    @inlinable static var homeMask: UInt64 { 0x7f }
}

/// The words of a table that all workers share, a cache line each.
@usableFromInline
struct TableShared: ~Copyable {
    /// Free entries: index plus one below, a version above (so that a pop that was overtaken fails).
    @usableFromInline let free = Atomic<UInt64>(0)
    @usableFromInline let pad0 = PaddingLine()
    /// Entries never used so far begin here.
    @usableFromInline let fresh = Atomic<UInt32>(0)
    /// Numbers entries as they are made.
    @usableFromInline let sequence = Atomic<UInt32>(0)
    /// Entries in the table.
    @usableFromInline let count = Atomic<Int>(0)
    @usableFromInline let pad1 = PaddingLine()
    /// The epoch that reclamation goes by.
    @usableFromInline let epoch = Atomic<UInt64>(2)
    @usableFromInline let pad2 = PaddingLine()

    @usableFromInline init() {}
}

/// Keeps what follows off the cache line of what comes before.
@usableFromInline
struct PaddingLine: Sendable, BitwiseCopyable {
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    @usableFromInline init() {}
}

/// A participant of reclamation: a worker, or a thread that lists. One cache line.
@usableFromInline
struct EpochLine: ~Copyable {
    /// The epoch it saw at its last quiescent point; `UInt64.max` while it reads nothing.
    @usableFromInline let seen = Atomic<UInt64>(UInt64.max)
    @usableFromInline let pad = PaddingLine()
    @usableFromInline init() {}
}
