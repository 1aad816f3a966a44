import Wire

/// A destination in the memory of lblc and lblcr: its slot and, so that a slot given to another is not taken for it, a
/// hash of its address and port. A destination deleted and added again is the same member while its slot is.
struct LocalityMember: Equatable {
    /// Slot in the low half, hash in the high half, which is never 0.
    let word: UInt64

    init(_ word: UInt64) { self.word = word }

    init(_ destination: DestinationRecord) {
        let hash = Mixing.hash(destination.address, destination.port) >> 32 | 1
        word = hash << 32 | UInt64(destination.slot)
    }

    /// Its place in the service's list; nil when it is not of the service (any more).
    func place(_ record: ServiceRecord, _ slots: StateSlots) -> Int? {
        guard let place = record.place(of: UInt32(truncatingIfNeeded: word), slots) else { return nil }
        return LocalityMember(record.destination(place)) == self ? place : nil
    }
}

/// The members that an address has, as they were read, newest first; none if the address is not remembered.
struct LocalityEntry {
    /// Most members; the kernel's sets of lblcr have no limit. A full set gives up its most loaded member.
    static var capacity: Int { 21 }

    /// The count of changes of the bucket when this was read; odd: it may not be stored.
    let sequence: UInt64
    /// When the set of members changed last.
    var lastChange: Tick = 0
    /// Number of members.
    private(set) var count = 0
    private var words = InlineArray<21, UInt64>(repeating: 0)

    /// Nothing remembered.
    init(sequence: UInt64) { self.sequence = sequence }

    /// The word of a member; 0 beyond the last.
    func word(_ index: Int) -> UInt64 { index < count ? words[index] : 0 }

    subscript(index: Int) -> LocalityMember { LocalityMember(words[index]) }

    /// Put a member last, if there is room.
    mutating func append(_ member: LocalityMember) {
        guard count < Self.capacity else { return }
        words[count] = member.word
        count &+= 1
    }

    /// Make it the only member.
    mutating func replace(with member: LocalityMember, now: Tick) {
        count = 1
        words[0] = member.word
        lastChange = now
    }

    /// Put a member first, if it is none yet.
    mutating func insert(_ member: LocalityMember, now: Tick) {
        for index in 0..<count where words[index] == member.word { return }
        guard count < Self.capacity else { return }
        var index = count
        while index > 0 {
            words[index] = words[index &- 1]
            index &-= 1
        }
        words[0] = member.word
        count &+= 1
        lastChange = now
    }

    /// Take out the member at `index`.
    mutating func remove(at index: Int, now: Tick) {
        count &-= 1
        var index = index
        while index < count {
            words[index] = words[index &+ 1]
            index &+= 1
        }
        lastChange = now
    }
}
