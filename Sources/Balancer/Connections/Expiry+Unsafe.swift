public import Synchronization

/// Another worker's way to hand an entry to its owner: a stack of entry indices, a cache line each.
@usableFromInline
struct InboxLine: ~Copyable {
    @usableFromInline let head = Atomic<UInt32>(0)
    @usableFromInline let pad = PaddingLine()
    @usableFromInline init() {}
}

/// A worker's timers: a wheel of its entries' deadlines, touched lazily.
///
/// A packet only writes the entry's deadline. The wheel looks at an entry when the slot comes round in which it was armed;
/// if the deadline has moved on meanwhile, the entry is armed anew. A deadline that moves *nearer* (a connection that
/// closes) is armed at once, by another worker through the owner's inbox. Slots are 32 ms wide; an entry ends at most that
/// much late. At most `Expiry.bound` entries are looked at in a batch, so that a million deadlines at one tick cost each
/// batch the same.
@safe
public struct Expiry: ~Copyable {
    /// Entries looked at in one batch.
    public static var bound: Int { 64 }
    /// Slots of the wheel: 2,048 of 32 ms make 65 s; what ends later is looked at once a round.
    static var slots: Tick { 2048 }
    /// Ticks in a slot, as a shift.
    static var shift: Tick { 3 }

    let table: ConnectionTable
    let worker: UInt8
    let heads: UnsafeMutablePointer<UInt32>
    let inboxes: UnsafeMutablePointer<InboxLine>
    /// The first slot (in wheel time) not yet emptied.
    var position: Tick
    /// Where `soonestEmbryonic` goes on, in slots from `position`: those before have no entry that was embryonic when it was
    /// armed, or were passed over. At most `slots`.
    private var embryonicAhead: Tick = 0
    /// Whether entries of those slots were left out, since there were too many.
    private var hasPassedOver = false
    /// Removed entries that wait for their grace period, by the epoch they were buried in, modulo three.
    var limbo = (Grave(), Grave(), Grave())

    /// The timers of `worker`, from tick `now` on.
    public init(table: ConnectionTable, inboxes: Inboxes, worker: UInt8, now: Tick) {
        self.table = table
        self.worker = worker
        unsafe heads = .allocate(capacity: Int(Self.slots))
        unsafe heads.initialize(repeating: 0, count: Int(Self.slots))
        unsafe self.inboxes = inboxes.lines
        position = now >> Self.shift
    }

    deinit { unsafe heads.deallocate() }

    // MARK: Arming

    /// Begin to watch an entry of this worker.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func arm(_ entry: ConnectionEntry) { link(entry, from: position) }

    /// The deadline of `entry` was set. Nothing is done unless it moved before the tick at which the wheel looks next.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable @inline(__always)
    public mutating func deadlineChanged(_ entry: ConnectionEntry) {
        if Ticks.isBefore(entry.deadline, entry.armed) { rearm(entry) }
    }

    @usableFromInline
    mutating func rearm(_ entry: ConnectionEntry) {
        // What has ended may lie among the buried already.
        guard !entry.flags.contains(.removed) else { return }
        if entry.owner == worker {
            unlink(entry)
            link(entry, from: position)
        } else {
            post(entry)
        }
    }

    /// `entry` was taken out of the table by this worker: it is reclaimed after a grace period. Whoever calls this has read
    /// what there is to read of it.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func retire(_ entry: ConnectionEntry) {
        entry.set(.retired)
        if entry.owner == worker {
            unlink(entry)
            bury(entry)
        } else {
            post(entry)
        }
    }

    /// An entry of this worker that `next` gave, or that never was in the table: it is reclaimed after a grace period.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func discard(_ entry: ConnectionEntry) {
        entry.set(.retired)
        unlink(entry)
        bury(entry)
    }

    /// Link an entry in the slot of its deadline, or in the nearest to it from `first` to the last of this round.
    mutating func link(_ entry: ConnectionEntry, from first: Tick) {
        // Read once: other workers move it, and `armed` must name the slot the entry is linked in.
        let deadline = entry.deadline
        let wanted = deadline >> Self.shift
        let horizon = position &+ Self.slots &- 1
        let isPast = Int32(bitPattern: (wanted &- first) &<< Self.shift) < 0
        let isFar = Int32(bitPattern: (horizon &- wanted) &<< Self.shift) < 0
        let at = isPast ? first : isFar ? horizon : wanted
        entry.armed = isFar || isPast ? at &<< Self.shift : deadline
        let slot = Int(at & (Self.slots &- 1))
        let head = unsafe heads[slot]
        entry.timerPrevious = 0
        entry.timerNext = head
        if head != 0 { table.entry(head &- 1).timerPrevious = entry.index &+ 1 }
        unsafe heads[slot] = entry.index &+ 1
        // A deadline's slot begins anew where ticks do, long before `position` would.
        let ahead = ((at &- position) &<< Self.shift) >> Self.shift
        if ahead < embryonicAhead, entry.isEmbryonic { embryonicAhead = ahead }
    }

    mutating func unlink(_ entry: ConnectionEntry) {
        let next = entry.timerNext
        let previous = entry.timerPrevious
        if previous != 0 {
            table.entry(previous &- 1).timerNext = next
        } else {
            let slot = Int(entry.armed >> Self.shift & (Self.slots &- 1))
            if unsafe heads[slot] == entry.index &+ 1 { unsafe heads[slot] = next }
        }
        if next != 0 { table.entry(next &- 1).timerPrevious = previous }
        entry.timerNext = 0
        entry.timerPrevious = 0
    }

    // MARK: Inbox

    func post(_ entry: ConnectionEntry) {
        // The owner reads the deadline after it has cleared the flag: the deadline is written before the flag is read here.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard mark(entry, .inInbox, unless: .buried) else { return }
        let owner = Int(entry.owner)
        var head = unsafe inboxes[owner].head.load(ordering: .relaxed)
        while true {
            entry.link = head
            let result = unsafe inboxes[owner].head.compareExchange(
                expected: head, desired: entry.index &+ 1, ordering: .acquiringAndReleasing)
            if result.exchanged { return }
            head = result.original
        }
    }

    /// Set `flag` unless it or `other` is set. An entry is thus posted or buried, and each once: what is posted is buried
    /// by the inbox, what is buried is not posted any more.
    private func mark(_ entry: ConnectionEntry, _ flag: EntryFlags, unless other: EntryFlags) -> Bool {
        while true {
            let old = entry.stateWord
            guard old & (flag | other).rawValue == 0 else { return false }
            if entry.exchangeState(old, old | flag.rawValue) { return true }
        }
    }

    mutating func emptyInbox() {
        guard unsafe inboxes[Int(worker)].head.load(ordering: .relaxed) != 0 else { return }
        var next = unsafe inboxes[Int(worker)].head.exchange(0, ordering: .acquiringAndReleasing)
        while next != 0 {
            let entry = table.entry(next &- 1)
            next = entry.link
            let flags = entry.clear(.inInbox)
            unlink(entry)
            if flags.contains(.retired) {
                bury(entry)
            } else if !flags.contains(.removed) {
                link(entry, from: position)
            }
            // Who is removing it may not have reached its keys yet, so others may find it: it will be posted again.
        }
    }

    // MARK: Time

    /// Begin a batch's share of the wheel: take in what other workers posted.
    /// - Returns: how many entries `next` may look at.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func begin() -> Int {
        emptyInbox()
        return Self.bound
    }

    /// The next entry whose deadline has passed, no longer armed: the caller ends it with `discard` or `keep`s it.
    ///
    /// - Parameter budget: entries that may still be looked at; when it is used up the rest waits for the next batch.
    /// - Returns: nil when nothing is due, or the budget is used up.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func next(now: Tick, budget: inout Int) -> ConnectionEntry? {
        let end = now >> Self.shift
        while Int32(bitPattern: (end &- position) &<< Self.shift) > 0 {
            let slot = Int(position & (Self.slots &- 1))
            while true {
                let head = unsafe heads[slot]
                guard head != 0 else { break }
                guard budget > 0 else { return nil }
                budget &-= 1
                let entry = table.entry(head &- 1)
                unlink(entry)
                let flags = entry.flags
                if flags.contains(.removed) {
                    // As in the inbox.
                    if flags.contains(.retired) { bury(entry) }
                } else if !Ticks.isBefore(now, entry.deadline) {
                    return entry
                } else {
                    link(entry, from: position &+ 1)
                }
            }
            position &+= 1
            if embryonicAhead > 0 { embryonicAhead &-= 1 }
        }
        return nil
    }

    /// Whether entries are due that a batch's budget left over.
    public func isBehind(now: Tick) -> Bool { Int32(bitPattern: (now >> Self.shift &- position) &<< Self.shift) > 0 }

    /// An entry that `next` gave stays; its deadline was set anew.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func keep(_ entry: ConnectionEntry) { link(entry, from: position &+ 1) }

    /// The tick at which the wheel should be looked at next, looking `most` slots ahead.
    public func nextDue(now: Tick, most: Tick) -> Tick {
        var slot = position
        while Int32(bitPattern: (slot &- position) &<< Self.shift) < Int32(bitPattern: most &<< Self.shift) {
            if unsafe heads[Int(slot & (Self.slots &- 1))] != 0 { break }
            slot &+= 1
        }
        return (slot &+ 1) &<< Self.shift
    }

    /// The TCP entry without a completed handshake that is armed soonest, which is the oldest; at most `most` entries are
    /// looked at, and the next call goes on there. Of a slot with more than that the oldest may be passed over. For making
    /// room.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func soonestEmbryonic(most: Int) -> ConnectionEntry? {
        var looked = 0
        while embryonicAhead < Self.slots, looked < most {
            let before = looked
            var next = unsafe heads[Int((position &+ embryonicAhead) & (Self.slots &- 1))]
            // The newest of a slot is linked first: its oldest is the last that is seen.
            var found: ConnectionEntry?
            while next != 0, looked < most {
                looked &+= 1
                let entry = table.entry(next &- 1)
                if entry.isEmbryonic { found = entry }
                next = entry.timerNext
            }
            if let found { return found }
            if next != 0 {
                // The next call has a whole look at it, unless this was one.
                guard before == 0 else { return nil }
                hasPassedOver = true
            }
            embryonicAhead &+= 1
        }
        if embryonicAhead == Self.slots, hasPassedOver {
            hasPassedOver = false
            embryonicAhead = 0
        }
        return nil
    }

    // MARK: Reclaiming

    /// Put an unlinked entry where it waits for its grace period.
    mutating func bury(_ entry: ConnectionEntry) {
        guard mark(entry, .buried, unless: .inInbox) else { return }
        // The epoch that is read is not older than the removal: pairs with the fence in `Participant.quiesce`.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        wait(entry)
    }

    private mutating func wait(_ entry: ConnectionEntry) {
        let epoch = table.epoch
        switch epoch % 3 {
        case 0: limbo.0.push(entry, table, epoch)
        case 1: limbo.1.push(entry, table, epoch)
        default: limbo.2.push(entry, table, epoch)
        }
    }

    /// Give back what was removed before the epoch moved twice. Called with what `Participant.quiesce` returned.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func reclaim(epoch: UInt64) {
        keepControlling(limbo.0.release(table, ifBefore: epoch &- 1))
        keepControlling(limbo.1.release(table, ifBefore: epoch &- 1))
        keepControlling(limbo.2.release(table, ifBefore: epoch &- 1))
    }

    /// Templates that were removed while an entry came under their control stay until it has ended, since it will count
    /// itself out.
    private mutating func keepControlling(_ first: UInt32) {
        var next = first
        while next != 0 {
            let entry = table.entry(next &- 1)
            next = entry.timerNext
            wait(entry)
        }
    }
}

/// Removed entries, linked by `timerNext`, that were buried in one epoch.
struct Grave: BitwiseCopyable {
    /// Index of the first plus one; 0: none.
    private var head: UInt32 = 0
    private var epoch: UInt64 = 0
    /// Templates that still controlled entries when their grace period was over.
    private var controlling: UInt32 = 0

    /// Add an entry. What lies here from an earlier epoch was buried at least three before and is given back.
    mutating func push(_ entry: ConnectionEntry, _ table: ConnectionTable, _ now: UInt64) {
        if epoch != now {
            recycle(table, ifBefore: now)
            epoch = now
        }
        entry.timerNext = head
        head = entry.index &+ 1
    }

    /// Give back what was buried before `limit`.
    /// - Returns: those templates, linked, that must wait longer: index of the first plus one.
    mutating func release(_ table: ConnectionTable, ifBefore limit: UInt64) -> UInt32 {
        recycle(table, ifBefore: limit)
        let kept = controlling
        controlling = 0
        return kept
    }

    private mutating func recycle(_ table: ConnectionTable, ifBefore limit: UInt64) {
        guard head != 0, epoch < limit else { return }
        var next = head
        head = 0
        while next != 0 {
            let entry = table.entry(next &- 1)
            next = entry.timerNext
            if entry.controlled == 0 {
                table.recycle(entry)
            } else {
                entry.timerNext = controlling
                controlling = entry.index &+ 1
            }
        }
    }
}

/// The inboxes of all workers. Made before them, freed after them.
@safe
public final class Inboxes: @unchecked Sendable {
    let lines: UnsafeMutablePointer<InboxLine>
    let count: Int

    /// Inboxes for `workers` workers.
    public init(workers: Int) {
        count = workers
        unsafe lines = .allocate(capacity: workers)
        for worker in 0..<workers { unsafe (lines + worker).initialize(to: InboxLine()) }
    }

    deinit {
        unsafe lines.deinitialize(count: count)
        unsafe lines.deallocate()
    }
}
