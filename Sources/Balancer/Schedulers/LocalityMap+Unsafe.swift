import Synchronization
import Wire

/// What lblc and lblcr remember: for each address that clients speak to, its destinations, newest member first. A
/// handle; `SchedulerMemory` owns the memory. Any worker, without waiting.
///
/// The kernel chains entries in 1,024 buckets without a limit and sweeps above 16,384 of them
/// (`net/netfilter/ipvs/ip_vs_lblc.c`). Here a bucket has room for 16, in 2,048 buckets; a full one gives up the entry
/// that was used longest ago.
///
/// Memory order: a bucket's first word counts changes and is odd during one. A writer makes it odd by compare-exchange
/// from the value that its decision was read under, so that a decision on old contents is dropped, not applied; a
/// releasing fence keeps the contents behind that. A reader takes the contents as one if the word was even and is the
/// same after an acquiring fence. Whoever finds a bucket in change goes without the memory: the pick is valid all the
/// same.
@safe
struct LocalityMap {
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// Most members of an entry.
    let members: Int

    /// Buckets; a power of two.
    static var buckets: Int { 2048 }
    /// Entries of a bucket.
    static var ways: Int { 16 }
    /// Words before the first bucket.
    private static var headerWords: Int { 8 }
    /// Words of an entry before its members: address (two), last use and last change of the members (ticks, low and
    /// high).
    private static var entryWords: Int { 3 }

    /// Bytes for entries of so many members.
    static func bytes(members: Int) -> Int { (headerWords + buckets * bucketWords(members: members)) * 8 }

    private static func bucketWords(members: Int) -> Int { (1 &+ ways &* (entryWords &+ members) &+ 7) & ~7 }

    /// On zeroed memory of `bytes(members:)`: an empty map.
    init(_ memory: UnsafeMutableRawPointer, members: Int) {
        unsafe words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: Self.bytes(members: members) / 8)
        self.members = members
    }

    private func load(_ word: Int) -> UInt64 {
        unsafe words[word].load(ordering: .relaxed)
    }
    private func store(_ word: Int, _ value: UInt64) { unsafe words[word].store(value, ordering: .relaxed) }

    private func bucket(_ index: Int) -> Int {
        Self.headerWords &+ index &* Self.bucketWords(members: members)
    }
    private func bucket(of address: IPAddress) -> Int {
        bucket(Int(truncatingIfNeeded: Mixing.hash(address, 0)) & (Self.buckets &- 1))
    }
    private func entry(_ bucket: Int, _ way: Int) -> Int { bucket &+ 1 &+ way &* (Self.entryWords &+ members) }

    // MARK: Entries

    /// What is remembered of `address`; it counts as used now.
    func find(_ address: IPAddress, now: Tick, life: Tick = LocalityAge.full) -> LocalityEntry {
        let bucket = bucket(of: address)
        for _ in 0..<4 {
            let sequence = unsafe words[bucket].load(ordering: .acquiring)
            guard sequence & 1 == 0 else { continue }
            var found = LocalityEntry(sequence: sequence)
            let place = self.place(of: address, bucket)
            var times: UInt64 = 0
            if let place {
                times = load(place &+ 2)
                read(place, times, &found)
            }
            atomicMemoryFence(ordering: .acquiring)
            guard load(bucket) == sequence else { continue }
            guard let place else { return found }
            let used = UInt32(truncatingIfNeeded: times)
            if now &- used >= life { return LocalityEntry(sequence: sequence) }
            if used != now {
                let touched = times & ~0xffff_ffff | UInt64(now)
                _ = unsafe words[place &+ 2].compareExchange(expected: times, desired: touched, ordering: .relaxed)
            }
            return found
        }
        return LocalityEntry(sequence: 1)
    }

    /// Remember `entry`'s members for `address`, unless the bucket changed since `entry` was found.
    func store(_ address: IPAddress, _ entry: LocalityEntry, now: Tick) {
        let bucket = bucket(of: address)
        guard begin(bucket, entry.sequence) else { return }
        let place = self.place(of: address, bucket) ?? self.roomiest(bucket, now)
        if load(place) == 0, load(place &+ 1) == 0 { changeCount(by: 1) }
        store(place, address.high)
        store(place &+ 1, address.low)
        store(place &+ 2, UInt64(entry.lastChange) << 32 | UInt64(now))
        for member in 0..<members { store(place &+ Self.entryWords &+ member, entry.word(member)) }
        end(bucket, entry.sequence)
    }

    private func read(_ place: Int, _ times: UInt64, _ entry: inout LocalityEntry) {
        entry.lastChange = UInt32(truncatingIfNeeded: times >> 32)
        for member in 0..<members {
            let word = load(place &+ Self.entryWords &+ member)
            guard word != 0 else { return }
            entry.append(LocalityMember(word))
        }
    }

    private func place(of address: IPAddress, _ bucket: Int) -> Int? {
        for way in 0..<Self.ways {
            let place = entry(bucket, way)
            if load(place &+ 1) == address.low, load(place) == address.high { return place }
        }
        return nil
    }

    /// An empty place of the bucket, or that of the entry which was used longest ago.
    private func roomiest(_ bucket: Int, _ now: Tick) -> Int {
        var oldest = entry(bucket, 0)
        var greatestAge: Tick = 0
        for way in 0..<Self.ways {
            let place = entry(bucket, way)
            if load(place) == 0, load(place &+ 1) == 0 { return place }
            let age = now &- UInt32(truncatingIfNeeded: load(place &+ 2))
            if age >= greatestAge {
                oldest = place
                greatestAge = age
            }
        }
        return oldest
    }

    private func begin(_ bucket: Int, _ sequence: UInt64) -> Bool {
        guard sequence & 1 == 0 else { return false }
        let isOurs = unsafe words[bucket].compareExchange(
            expected: sequence, desired: sequence &+ 1, ordering: .acquiringAndReleasing
        ).exchanged
        if isOurs { atomicMemoryFence(ordering: .releasing) }
        return isOurs
    }

    private func end(_ bucket: Int, _ sequence: UInt64) {
        unsafe words[bucket].store(sequence &+ 2, ordering: .releasing)
    }

    // MARK: Sweeps

    // Words of the header: 0 entries; 1 taken (1 while a worker sweeps); 2 tick of the next sweep, with bit 32 once it
    // is set; 3 number of the sweep; 4 buckets left; 5 bucket; 6 age that is swept; 7 entries still to go.

    /// Entries.
    var count: Int { Int(load(0)) }

    private func changeCount(by change: Int) {
        unsafe _ = words[0].wrappingAdd(UInt64(bitPattern: Int64(change)), ordering: .relaxed)
    }

    /// The kernel's timer, a few buckets a call: once a minute, if there are more than 16,384 entries, those unused for
    /// six minutes go; each thirtieth time instead those unused for a day, however few there are
    /// (`ip_vs_lblc_check_expire`).
    func sweep(now: Tick, life: Tick = LocalityAge.full) {
        let next = load(2)
        if load(4) == 0, next >> 32 != 0, Ticks.isBefore(now, UInt32(truncatingIfNeeded: next)) { return }
        guard unsafe words[1].compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged else { return }
        if load(4) == 0 { plan(now, life) } else { sweepOn(now) }
        unsafe words[1].store(0, ordering: .releasing)
    }

    private func plan(_ now: Tick, _ life: Tick) {
        let next = load(2)
        guard next >> 32 == 0 || !Ticks.isBefore(now, UInt32(truncatingIfNeeded: next)) else { return }
        store(2, 1 << 32 | UInt64(now &+ LocalityAge.sweepInterval))
        let number = max(load(3), 1)
        if next >> 32 == 0 {
            store(3, 1)
        } else if number % LocalityAge.sweepsToFull == 0 {
            store(3, 1)
            begin(age: life, goal: UInt64.max)
        } else if count > LocalityAge.threshold {
            begin(
                age: LocalityAge.partial,
                goal: UInt64(min((count - LocalityAge.threshold) * 4 / 3, LocalityAge.threshold / 2)))
        } else {
            store(3, number + 1)
        }
    }

    private func begin(age: Tick, goal: UInt64) {
        store(6, UInt64(age))
        store(7, goal)
        store(4, UInt64(Self.buckets))
    }

    private func sweepOn(_ now: Tick) {
        var left = load(4)
        var index = Int(load(5))
        var goal = load(7)
        for _ in 0..<LocalityAge.bucketsEachCall where left > 0 && goal > 0 {
            index = (index &+ 1) & (Self.buckets &- 1)
            left &-= 1
            let gone = UInt64(forget(bucket(index), olderThan: UInt32(truncatingIfNeeded: load(6)), now))
            goal = gone < goal ? goal &- gone : 0
        }
        store(5, UInt64(index))
        store(7, goal)
        store(4, goal == 0 ? 0 : left)
    }

    private func forget(_ bucket: Int, olderThan age: Tick, _ now: Tick) -> Int {
        let sequence = load(bucket)
        guard begin(bucket, sequence) else { return 0 }
        var gone = 0
        for way in 0..<Self.ways {
            let place = entry(bucket, way)
            guard load(place) != 0 || load(place &+ 1) != 0 else { continue }
            guard now &- UInt32(truncatingIfNeeded: load(place &+ 2)) >= age else { continue }
            store(place, 0)
            store(place &+ 1, 0)
            gone &+= 1
        }
        end(bucket, sequence)
        if gone > 0 { changeCount(by: 0 &- gone) }
        return gone
    }
}

/// How long lblc and lblcr remember (`net/netfilter/ipvs/ip_vs_lblc.c`).
enum LocalityAge {
    /// Unused for so long, an entry goes whatever the number of entries; lblcr's sets shrink after the same time, unless
    /// `lblc_expiration` or `lblcr_expiration` says otherwise (`DEFAULT_EXPIRATION`: a day).
    static var full: Tick { Ticks.seconds(24 * 60 * 60) }
    /// Unused for so long, an entry goes when there are many (`ENTRY_TIMEOUT`: six minutes).
    static var partial: Tick { Ticks.seconds(6 * 60) }
    /// From one sweep to the next (`CHECK_EXPIRE_INTERVAL`).
    static var sweepInterval: Tick { Ticks.seconds(60) }
    /// Each such sweep is a full one (`COUNT_FOR_FULL_EXPIRATION`).
    static var sweepsToFull: UInt64 { 30 }
    /// More entries than this are many (`IP_VS_LBLC_TAB_SIZE` * 16).
    static var threshold: Int { 16384 }
    /// Buckets that one call sweeps at most.
    static var bucketsEachCall: Int { 4 }
}
