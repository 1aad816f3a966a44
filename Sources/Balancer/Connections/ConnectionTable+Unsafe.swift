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
/// workers cannot both insert the same request key. A slot stays taken until its entry is reclaimed, a grace period
/// after its removal; a compare-exchange on the word therefore cannot mistake a later state for an earlier one.
/// A home whose line is full goes on in overflow lines, chosen by its number and shared with other homes.
/// docs/connection-table.md has the argument for each shared word.
///
/// A value of this type is a handle; copies share the memory, which `ConnectionTableMemory` owns.
@safe
public struct ConnectionTable {
    @usableFromInline let lines: UnsafeMutablePointer<TableLine>
    @usableFromInline let homeCount: UInt64
    @usableFromInline let overflowCount: UInt64
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
        overflowCount = UInt64(memory.size.overflowLines)
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

    /// Whether so few entries are left that room should be made: the new ones of some batches, or an eighth.
    @inlinable @inline(__always)
    public var isNearlyFull: Bool {
        let reserve = capacity / 8 < 256 ? capacity / 8 : 256
        return unsafe shared.pointee.count.load(ordering: .relaxed) >= Int(capacity &- reserve)
    }

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

    /// The entry whose request or reply key is `key`: a reply goes before a request, the newest of several replies
    /// before older ones, as the kernel looks them up. Wait-free.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable @inline(__always)
    public func find(_ key: FlowKey, hash: UInt64) -> (entry: ConnectionEntry, direction: FlowDirection)? {
        let home = home(hash)
        var live = unsafe lines[home].word.load(ordering: .acquiring)
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
                first &+= TableLine.slots
                line = overflowLine(home, first)
            }
            let value = unsafe slot(line, position &- first).pointee.load(ordering: .acquiring)
            guard value >> 32 == tag else { continue }
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

    /// The overflow line of `home` that holds its positions from `first` (7, 14, … 49) on: seven different lines, by double
    /// hashing of the home's number. The step is at most an eighth of all, so that seven steps do not come round.
    @inlinable
    func overflowLine(_ home: Int, _ first: Int) -> Int {
        var mixed = (UInt64(truncatingIfNeeded: home) &+ 1) &* 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9
        mixed ^= mixed >> 32
        let start = (mixed >> 32 &* overflowCount) >> 32
        let step = 1 &+ ((mixed & 0xffff_ffff) &* (overflowCount >> 3)) >> 32
        let place = start &+ step &* UInt64(truncatingIfNeeded: first / TableLine.slots)
        return Int(truncatingIfNeeded: homeCount &+ place % overflowCount)
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

    /// A slot that was taken for a key and is not live.
    private struct Claim {
        var home: Int
        var line: Int
        var position: Int
        /// Its live bit in the home's word.
        var bit: UInt64
    }

    /// Put an entry into the table under its request key and, where replies are looked for, its reply key. On anything but
    /// `inserted` nobody has seen the entry, and it is the caller's to `discard`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func insert(_ entry: ConnectionEntry) -> Insertion {
        let key = entry.requestKey
        let requestHash = hash(key)
        guard let request = claim(requestHash, entry.index &+ 1) else { return .full }
        var reply: Claim?
        if entry.hasReplyKey {
            reply = claim(hash(entry.replyKey), (entry.index &+ 1) | 0x8000_0000)
            guard reply != nil else {
                giveBack(request)
                return .full
            }
        }
        entry.set(.hashed)
        if let other = enliven(request, unique: key, hash: requestHash) {
            entry.clear(.hashed)
            giveBack(request)
            if let reply { giveBack(reply) }
            return .exists(other)
        }
        if let reply {
            enliven(reply)
            // Who removed the entry meanwhile may have come too early to find the reply key live.
            if entry.set(.none).contains(.removed) { clear(reply.home, reply.bit) }
        }
        unsafe _ = shared.pointee.count.wrappingAdd(1, ordering: .relaxed)
        return .inserted
    }

    /// Take a free slot of the lines of the hash's home; nil when all are taken.
    private func claim(_ hash: UInt64, _ reference: UInt32) -> Claim? {
        let home = home(hash)
        let value = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(reference)
        var line = home
        var first = 0
        while true {
            for position in 0..<TableLine.slots {
                let slot = unsafe slot(line, position)
                guard unsafe slot.pointee.load(ordering: .relaxed) == 0 else { continue }
                if unsafe slot.pointee.compareExchange(expected: 0, desired: value, ordering: .acquiringAndReleasing)
                    .exchanged
                {
                    return Claim(home: home, line: line, position: position, bit: 1 << UInt64(first &+ position))
                }
            }
            first &+= TableLine.slots
            guard first < TableLine.slots &* TableLine.chain else { return nil }
            line = overflowLine(home, first)
        }
    }

    /// Give back a slot that never was live.
    private func giveBack(_ claim: Claim) {
        unsafe slot(claim.line, claim.position).pointee.store(0, ordering: .releasing)
    }

    /// Make a slot live unless `key` is live in another one: its entry's index then, else nil.
    @discardableResult
    private func enliven(_ claim: Claim, unique key: FlowKey? = nil, hash: UInt64 = 0) -> UInt32? {
        var word = unsafe lines[claim.home].word.load(ordering: .acquiring)
        while true {
            if let key, let other = findRequest(key, hash: hash, home: claim.home, live: word) { return other }
            let result = unsafe lines[claim.home].word.compareExchange(
                expected: word, desired: word | claim.bit, ordering: .acquiringAndReleasing)
            if result.exchanged { return nil }
            word = result.original
        }
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
                first &+= TableLine.slots
                line = overflowLine(home, first)
            }
            let value = unsafe slot(line, position &- first).pointee.load(ordering: .acquiring)
            guard value >> 32 == tag, value & 0x8000_0000 == 0 else { continue }
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
        let live = unsafe lines[home].word.load(ordering: .acquiring)
        return findRequest(key, hash: hash, home: home, live: live).map { entry($0) }
    }

    // MARK: Removing

    /// Take an entry out of the table. Of several workers that try, one gets true and owns the rest: counts, timer,
    /// reclamation. When this returns, lookups that begin do not find the entry; those that already hold it may go on
    /// until their quiescent point.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func remove(_ entry: ConnectionEntry) -> Bool {
        let old = entry.set(.removed)
        guard old.contains(.hashed) else { return !old.contains(.removed) }
        clearSlot(hash(entry.requestKey), entry.index &+ 1)
        guard !old.contains(.removed) else { return false }
        if entry.hasReplyKey { clearSlot(hash(entry.replyKey), (entry.index &+ 1) | 0x8000_0000) }
        unsafe _ = shared.pointee.count.wrappingSubtract(1, ordering: .relaxed)
        return true
    }

    /// Clear the live bit of the slot that holds `reference`.
    func clearSlot(_ hash: UInt64, _ reference: UInt32) {
        if let found = position(of: reference, hash: hash) { clear(home(hash), found.bit) }
    }

    private func clear(_ home: Int, _ bit: UInt64) {
        unsafe _ = lines[home].word.bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
    }

    /// Empty the slot that holds `reference`, whose live bit was cleared a grace period ago.
    func releaseSlot(_ hash: UInt64, _ reference: UInt32) {
        guard let found = position(of: reference, hash: hash) else { return }
        unsafe slot(found.line, found.position).pointee.store(0, ordering: .releasing)
    }

    private func position(of reference: UInt32, hash: UInt64) -> (line: Int, position: Int, bit: UInt64)? {
        let value = UInt64(UInt32(truncatingIfNeeded: hash)) << 32 | UInt64(reference)
        let home = home(hash)
        var line = home
        var first = 0
        while true {
            for position in 0..<TableLine.slots
            where unsafe slot(line, position).pointee.load(ordering: .relaxed) == value {
                return (line, position, 1 << UInt64(first &+ position))
            }
            first &+= TableLine.slots
            guard first < TableLine.slots &* TableLine.chain else { return nil }
            line = overflowLine(home, first)
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
        if isFullNAT { return matchesLocalReply(key) }
        guard destinationPort == key.sourcePort, clientPort == key.destinationPort,
            transportProtocol == key.transportProtocol, !key.isTemplate
        else { return false }
        return destination == key.source && client == key.destination
    }

    @usableFromInline
    func matchesLocalReply(_ key: FlowKey) -> Bool {
        destinationPort == key.sourcePort && localPort == key.destinationPort
            && transportProtocol == key.transportProtocol && !key.isTemplate && destination == key.source
            && local == key.destination
    }

    /// Whether `other` was made later. Sequence numbers have 24 bits and wrap.
    @inlinable @inline(__always)
    func isOlder(than other: ConnectionEntry) -> Bool {
        let distance = (other.sequence &- sequence) & 0xff_ffff
        return distance != 0 && distance < 0x80_0000
    }
}
