public import CPrefetch
public import Synchronization
public import Wire

/// Which of an entry's two keys a packet matched.
public enum FlowDirection: UInt8, Sendable, BitwiseCopyable {
    /// From the client.
    case request
    /// From the server.
    case reply
}

/// The connection table: every entry and template, found by request key and by reply key.
///
/// One block of memory, made once. A lookup reads one line of the hash and the entry's line, and never waits. Inserts
/// and removals are lock-free: what lives in a home is decided by compare-exchange on the home's word alone, so two
/// workers cannot both insert the same request key. A slot stays taken until its entry is reclaimed, one grace period
/// after its removal; a compare-exchange on the word therefore cannot mistake a later state for an earlier one.
/// docs/connection-table.md has the argument for each shared word.
///
/// A value of this type is a handle; copies share the memory, which `ConnectionTableMemory` owns.
@safe
public struct ConnectionTable {
    @usableFromInline let lines: UnsafeMutablePointer<TableLine>
    @usableFromInline let homeCount: UInt64
    @usableFromInline let overflowCount: UInt32
    @usableFromInline let hot: UnsafeMutablePointer<HotEntry>
    @usableFromInline let cold: UnsafeMutablePointer<ColdEntry>
    @usableFromInline let wide: UnsafeMutablePointer<WideEntry>
    @usableFromInline let shared: UnsafeMutablePointer<TableShared>
    @usableFromInline let epochs: UnsafeMutablePointer<EpochLine>
    @usableFromInline let participants: Int
    @usableFromInline let secret: HashSecret
    /// Most entries.
    public let capacity: UInt32

    init(memory: ConnectionTableMemory) {
        unsafe lines = memory.lines
        homeCount = UInt64(memory.size.homeLines)
        overflowCount = UInt32(memory.size.overflowLines)
        unsafe hot = memory.hot
        unsafe cold = memory.cold
        unsafe wide = memory.wide
        unsafe shared = memory.shared
        unsafe epochs = memory.epochs
        participants = memory.participants
        secret = memory.secret
        capacity = UInt32(memory.size.entries)
    }

    // MARK: Reading

    /// The hash of a key in this table.
    @inlinable @inline(__always)
    public func hash(_ key: FlowKey) -> UInt64 { key.hash(secret) }

    /// The entry at `index`.
    @inlinable @inline(__always)
    public func entry(_ index: UInt32) -> ConnectionEntry {
        unsafe ConnectionEntry(
            hot: hot + Int(index), cold: cold + Int(index), wide: wide + Int(index), index: index)
    }

    /// Entries in the table, templates included.
    public var count: Int { unsafe shared.pointee.count.load(ordering: .relaxed) }

    @inlinable @inline(__always)
    func home(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: (hash >> 32 &* homeCount) >> 32)
    }

    @inlinable @inline(__always)
    func slot(_ line: Int, _ position: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe UnsafeMutableRawPointer(lines + line).advanced(by: 8 &+ position &* 8)
            .assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Ask the cache for the line where `hash` lives.
    @inlinable @inline(__always)
    public func prefetch(_ hash: UInt64) { unsafe CPrefetch_line(lines + home(hash)) }

    /// Ask the cache for the entry that `hash` probably means. The line itself should be in the cache by now.
    @inlinable @inline(__always)
    public func prefetchEntry(_ hash: UInt64) {
        let line = home(hash)
        var live = unsafe lines[line].word.load(ordering: .relaxed) & TableLine.homeMask
        let tag = UInt64(truncatingIfNeeded: UInt32(truncatingIfNeeded: hash))
        while live != 0 {
            let position = live.trailingZeroBitCount
            let value = unsafe slot(line, position).pointee.load(ordering: .relaxed)
            if value >> 32 == tag {
                let index = Int(UInt32(truncatingIfNeeded: value) & 0x7fff_ffff) &- 1
                if index >= 0 { unsafe CPrefetch_line(hot + index) }
                return
            }
            live &= live &- 1
        }
    }

    /// The entry whose request or reply key is `key`: a reply goes before a request, the newest of several replies
    /// before older ones, as the kernel looks them up. Wait-free.
    @inlinable
    #if !DEBUG
    @_noAllocation @_noLocks
    #endif
    public func find(_ key: FlowKey, hash: UInt64) -> (entry: ConnectionEntry, direction: FlowDirection)? {
        let home = home(hash)
        let word = unsafe lines[home].word.load(ordering: .acquiring)
        var live = word & TableLine.liveMask
        guard live != 0 else { return nil }
        let tag = UInt64(truncatingIfNeeded: UInt32(truncatingIfNeeded: hash))
        var line = home
        var first = 0
        var request: ConnectionEntry?
        var reply: ConnectionEntry?
        while live != 0 {
            let position = live.trailingZeroBitCount
            live &= live &- 1
            while position >= first &+ TableLine.slots {
                line = nextLine(line)
                first &+= TableLine.slots
            }
            let value = unsafe slot(line, position &- first).pointee.load(ordering: .acquiring)
            guard value >> 32 == tag, value & 0x7fff_ffff != 0 else { continue }
            let candidate = entry((UInt32(truncatingIfNeeded: value) & 0x7fff_ffff) &- 1)
            if value & 0x8000_0000 == 0 {
                if request == nil, candidate.matchesRequest(key) { request = candidate }
            } else if candidate.matchesReply(key) {
                if let older = reply, !older.isOlder(than: candidate) { continue }
                reply = candidate
            }
        }
        if let reply { return (reply, .reply) }
        if let request { return (request, .request) }
        return nil
    }

    @inlinable @inline(__always)
    func nextLine(_ line: Int) -> Int {
        let link = unsafe lines[line].word.load(ordering: .acquiring) >> 32
        return Int(homeCount) &+ Int(link) &- 1
    }

    // MARK: Inserting

    /// How an insertion ended.
    public enum Insertion: Sendable {
        /// The entry is in the table.
        case inserted
        /// An entry with this request key is there already: its index.
        case exists(UInt32)
        /// No slot left in the key's lines.
        case full
    }

    /// Put an entry, filled by `fill`, into the table under its request key and, where replies are looked for, its reply
    /// key. On anything but `inserted` the entry is not in the table and the caller's to `retire`.
    #if !DEBUG
    @_noAllocation @_noLocks
    #endif
    public func insert(_ entry: ConnectionEntry) -> Insertion {
        let request = entry.requestKey
        let requestHash = hash(request)
        entry.set(.hashed)
        switch insertSlot(requestHash, entry.index &+ 1, unique: request) {
        case .inserted: break
        case .exists(let other):
            entry.clear(.hashed)
            return .exists(other)
        case .full:
            entry.clear(.hashed)
            return .full
        }
        if entry.hasReplyKey {
            if case .full = insertSlot(hash(entry.replyKey), (entry.index &+ 1) | 0x8000_0000, unique: nil) {
                // It was to be found for a moment: it leaves as a removed entry does.
                entry.set(.removed)
                _ = clearSlot(requestHash, entry.index &+ 1)
                return .full
            }
        }
        unsafe _ = shared.pointee.count.wrappingAdd(1, ordering: .relaxed)
        return .inserted
    }

    func insertSlot(_ hash: UInt64, _ reference: UInt32, unique key: FlowKey?) -> Insertion {
        let home = home(hash)
        let value = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(reference)
        var claimed: (line: Int, position: Int, bit: UInt64)?
        while true {
            let word = unsafe lines[home].word.load(ordering: .acquiring)
            if let key, let other = findRequest(key, hash: hash, home: home, live: word & TableLine.liveMask) {
                if let claimed { unsafe slot(claimed.line, claimed.position).pointee.store(0, ordering: .releasing) }
                return .exists(other)
            }
            if claimed == nil {
                claimed = claim(home, word: word, value)
                // A new overflow line changes the word: read it again either way.
                guard claimed != nil else { return .full }
                continue
            }
            guard let claimed else { return .full }
            if unsafe lines[home].word.compareExchange(
                expected: word, desired: word | claimed.bit, ordering: .acquiringAndReleasing
            ).exchanged {
                return .inserted
            }
        }
    }

    /// Take an empty slot of the home's lines, adding a line where all are taken.
    func claim(_ home: Int, word: UInt64, _ value: UInt64) -> (line: Int, position: Int, bit: UInt64)? {
        var line = home
        var base = 0
        while true {
            for position in 0..<TableLine.slots {
                let slot = unsafe slot(line, position)
                guard unsafe slot.pointee.load(ordering: .relaxed) == 0 else { continue }
                if unsafe slot.pointee.compareExchange(expected: 0, desired: value, ordering: .acquiringAndReleasing)
                    .exchanged
                {
                    return (line, position, 1 << UInt64(base &+ position))
                }
            }
            base &+= TableLine.slots
            guard base < TableLine.slots &* TableLine.chain else { return nil }
            var current = unsafe lines[line].word.load(ordering: .acquiring)
            if current >> 32 == 0 {
                guard let fresh = freshLine() else { return nil }
                while current >> 32 == 0 {
                    let linked = current | UInt64(fresh &+ 1) << 32
                    let result = unsafe lines[line].word.compareExchange(
                        expected: current, desired: linked, ordering: .acquiringAndReleasing)
                    current = result.exchanged ? linked : result.original
                }
                // Where another worker's line was linked first, ours is lost; that takes a race and costs 64 bytes.
            }
            line = Int(homeCount) &+ Int(current >> 32) &- 1
        }
    }

    func freshLine() -> UInt32? {
        var next = unsafe shared.pointee.freshLine.load(ordering: .relaxed)
        while next < overflowCount {
            let result = unsafe shared.pointee.freshLine.compareExchange(
                expected: next, desired: next &+ 1, ordering: .relaxed)
            if result.exchanged { return next }
            next = result.original
        }
        return nil
    }

    func findRequest(_ key: FlowKey, hash: UInt64, home: Int, live: UInt64) -> UInt32? {
        var live = live
        let tag = UInt64(UInt32(truncatingIfNeeded: hash))
        var line = home
        var first = 0
        while live != 0 {
            let position = live.trailingZeroBitCount
            live &= live &- 1
            while position >= first &+ TableLine.slots {
                line = nextLine(line)
                first &+= TableLine.slots
            }
            let value = unsafe slot(line, position &- first).pointee.load(ordering: .acquiring)
            guard value >> 32 == tag, value & 0x8000_0000 == 0, value & 0x7fff_ffff != 0 else { continue }
            let candidate = entry((UInt32(truncatingIfNeeded: value) & 0x7fff_ffff) &- 1)
            if candidate.matchesRequest(key) { return candidate.index }
        }
        return nil
    }

    /// The live entry with request key `key`; for templates.
    #if !DEBUG
    @_noAllocation @_noLocks
    #endif
    public func findRequest(_ key: FlowKey) -> ConnectionEntry? {
        let hash = hash(key)
        let home = home(hash)
        let live = unsafe lines[home].word.load(ordering: .acquiring) & TableLine.liveMask
        return findRequest(key, hash: hash, home: home, live: live).map { entry($0) }
    }

    // MARK: Removing

    /// Take an entry out of the table. Of several workers that try, one gets true and owns the rest: counts, timer,
    /// reclamation. Lookups that already hold it may go on until their quiescent point.
    #if !DEBUG
    @_noAllocation @_noLocks
    #endif
    public func remove(_ entry: ConnectionEntry) -> Bool {
        guard !entry.set(.removed).contains(.removed) else { return false }
        guard entry.flags.contains(.hashed) else { return true }
        _ = clearSlot(hash(entry.requestKey), entry.index &+ 1)
        if entry.hasReplyKey { _ = clearSlot(hash(entry.replyKey), (entry.index &+ 1) | 0x8000_0000) }
        unsafe _ = shared.pointee.count.wrappingSubtract(1, ordering: .relaxed)
        return true
    }

    /// Clear the live bit of the slot that holds `reference`.
    func clearSlot(_ hash: UInt64, _ reference: UInt32) -> Bool {
        let home = home(hash)
        guard let found = position(of: reference, hash: hash) else { return false }
        var word = unsafe lines[home].word.load(ordering: .acquiring)
        while word & found.bit != 0 {
            let result = unsafe lines[home].word.compareExchange(
                expected: word, desired: word & ~found.bit, ordering: .acquiringAndReleasing)
            if result.exchanged { return true }
            word = result.original
        }
        return false
    }

    /// Empty the slot that holds `reference`, whose live bit was cleared a grace period ago.
    func releaseSlot(_ hash: UInt64, _ reference: UInt32) {
        guard let found = position(of: reference, hash: hash) else { return }
        unsafe slot(found.line, found.position).pointee.store(0, ordering: .releasing)
    }

    func position(of reference: UInt32, hash: UInt64) -> (line: Int, position: Int, bit: UInt64)? {
        let value = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(reference)
        var line = home(hash)
        var base = 0
        while true {
            for position in 0..<TableLine.slots
            where unsafe slot(line, position).pointee.load(ordering: .relaxed) == value {
                return (line, position, 1 << UInt64(base &+ position))
            }
            base &+= TableLine.slots
            let link = unsafe lines[line].word.load(ordering: .acquiring) >> 32
            guard link != 0, base < TableLine.slots &* TableLine.chain else { return nil }
            line = Int(homeCount) &+ Int(link) &- 1
        }
    }
}

extension ConnectionEntry {
    /// Whether a packet with `key` comes from this entry's client.
    @inlinable @inline(__always)
    func matchesRequest(_ key: FlowKey) -> Bool {
        let kind = kind
        guard clientPort == key.sourcePort, virtualPort == key.destinationPort,
            transportProtocol == key.transportProtocol, kind.contains(.template) == key.isTemplate
        else { return false }
        if kind.contains(.clientSideV6) {
            return unsafe wide.pointee.client == key.source && wide.pointee.virtual == key.destination
        }
        return unsafe key.source == IPAddress(v4: hot.pointee.client)
            && hot.pointee.virtual == key.destination.v4 && key.destination.isV4
    }

    /// Whether a packet with `key` comes from this entry's server.
    @inlinable @inline(__always)
    func matchesReply(_ key: FlowKey) -> Bool {
        guard destinationPort == key.sourcePort, clientPort == key.destinationPort,
            transportProtocol == key.transportProtocol, !key.isTemplate
        else { return false }
        return destination == key.source && client == key.destination
    }

    /// Whether `other` was made later. Sequence numbers have 24 bits and wrap.
    @inlinable @inline(__always)
    func isOlder(than other: ConnectionEntry) -> Bool {
        let distance = other.sequence &- sequence & 0xff_ffff
        return distance != 0 && distance < 0x80_0000
    }
}
