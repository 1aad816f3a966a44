public import CPrefetch
public import Synchronization
public import Wire

/// What a hash's home showed when it was looked at: which entry may be meant. To go on with when the entry's line has come.
public struct Glimpse: BitwiseCopyable {
    /// The hash.
    public let hash: UInt64
    /// The home's word.
    @usableFromInline let word: UInt64
    /// The direction (bit 31: reply) and the entry's index plus one of the only key that may have this hash; 0: there is
    /// none, or it does not lie in the home's own line, or there are several.
    @usableFromInline let found: UInt32

    @inlinable @inline(__always)
    init(hash: UInt64, word: UInt64, found: UInt32) {
        self.hash = hash
        self.word = word
        self.found = found
    }

    /// Of nothing.
    @inlinable @inline(__always)
    public static var nothing: Glimpse { Glimpse(hash: 0, word: 0, found: 0) }
    /// Of a hash whose home was not looked at yet.
    @inlinable @inline(__always)
    public static func of(_ hash: UInt64) -> Glimpse { Glimpse(hash: hash, word: 0, found: 0) }

    /// Whether an entry may be meant, and no other.
    @inlinable @inline(__always)
    public var isOfOne: Bool { found != 0 }
    /// The index of that entry.
    @inlinable @inline(__always)
    public var index: UInt32 { (found & 0x7fff_ffff) &- 1 }
    /// Whether its request key is what the hash may be of; else its reply key.
    @inlinable @inline(__always)
    public var isRequest: Bool { found & 0x8000_0000 == 0 }
}

/// The lookup of plain packets: `ConnectionTable.find` for what is found at a glance.
extension ConnectionTable {
    /// Look at the home of `hash`, whose line should be in the cache by now, and ask the cache for the entry that is
    /// probably meant.
    @inlinable @inline(__always)
    public func glimpse(_ hash: UInt64) -> Glimpse {
        let home = home(hash)
        // Acquiring, since the caller reads the entry: it is not made anew before the reader's next quiescent point.
        let word = unsafe lines[home].word.load(ordering: .acquiring)
        var live = word & TableLine.homeMask
        let tag = UInt64(truncatingIfNeeded: UInt32(truncatingIfNeeded: hash))
        var found: UInt32 = 0
        while live != 0 {
            let value = unsafe slot(home, live.trailingZeroBitCount).pointee.load(ordering: .acquiring)
            live &= live &- 1
            guard value >> 32 == tag else { continue }
            let reference = UInt32(truncatingIfNeeded: value)
            if reference & 0x7fff_ffff != 0 { unsafe CPrefetch_line(hot + Int((reference & 0x7fff_ffff) &- 1)) }
            guard found == 0 else { return Glimpse(hash: hash, word: word, found: 0) }
            found = reference
        }
        return Glimpse(hash: hash, word: word, found: word & ~TableLine.homeMask == 0 ? found : 0)
    }

    /// Whether the home is as it was, so that its entry is still the one that is meant.
    @inlinable @inline(__always)
    func isCurrent(_ glimpse: Glimpse) -> Bool {
        unsafe lines[home(glimpse.hash)].word.load(ordering: .acquiring) == glimpse.word
    }

    /// The entry of a packet by NAT, FULLNAT or direct routing between IPv4 addresses, where a glimpse of its hash showed it.
    /// Nil says nothing: ask `find`.
    @inlinable @inline(__always)
    public func find(_ packet: PlainPacket, _ glimpse: Glimpse) -> ConnectionEntry? {
        guard glimpse.isOfOne, isCurrent(glimpse) else { return nil }
        let entry = entry(glimpse.index)
        return entry.matches(packet, isRequest: glimpse.isRequest) ? entry : nil
    }

    /// As the other, for NAT and direct routing between IPv6 addresses.
    @inlinable @inline(__always)
    public func find(_ packet: WidePlainPacket, _ glimpse: Glimpse) -> ConnectionEntry? {
        guard glimpse.isOfOne, isCurrent(glimpse) else { return nil }
        let entry = entry(glimpse.index)
        return entry.matches(packet, isRequest: glimpse.isRequest) ? entry : nil
    }

    /// Ask the cache for an entry's IPv6 addresses.
    @inlinable @inline(__always)
    public func prefetchWide(_ index: UInt32) { unsafe CPrefetch_line(wide + Int(index)) }
}

extension ConnectionEntry {
    /// The destination's address of an entry that `find` gave for a plain packet.
    @inlinable @inline(__always)
    public var plainDestination: UInt32 { unsafe hot.pointee.destination }
    /// The virtual address of an entry that `find` gave for a plain packet.
    @inlinable @inline(__always)
    public var plainVirtual: UInt32 { unsafe hot.pointee.virtual }
    /// The client's address of an entry that `find` gave for a plain packet.
    @inlinable @inline(__always)
    public var plainClient: UInt32 { unsafe hot.pointee.client }

    /// What FULLNAT makes of a plain packet's addresses: the source above, the destination below.
    @inlinable @inline(__always)
    public func plainAddresses(isRequest: Bool) -> UInt64 {
        unsafe isRequest
            ? UInt64(hot.pointee.local) << 32 | UInt64(hot.pointee.destination)
            : UInt64(hot.pointee.virtual) << 32 | UInt64(hot.pointee.client)
    }
    /// What FULLNAT makes of a packet's ports: the source's above, the destination's below.
    @inlinable @inline(__always)
    public func plainPorts(isRequest: Bool) -> UInt32 {
        unsafe isRequest
            ? UInt32(hot.pointee.localPort) << 16 | UInt32(hot.pointee.destinationPort)
            : UInt32(hot.pointee.virtualPort) << 16 | UInt32(hot.pointee.clientPort)
    }

    /// Whether a plain packet is this entry's, which is nothing out of the ordinary: no kind but the plain one, NAT, FULLNAT
    /// or, for requests, direct routing (raw values 0, 4 and 3).
    @inlinable @inline(__always)
    func matches(_ packet: PlainPacket, isRequest: Bool) -> Bool {
        guard kind.rawValue == 0, transportProtocol == packet.transportProtocol else { return false }
        if isRequest {
            let method = unsafe hot.pointee.method
            return unsafe (method == 0 || method == 3 || method == 4) && hot.pointee.client == packet.source
                && hot.pointee.virtual == packet.destination
                && UInt32(hot.pointee.clientPort) << 16 | UInt32(hot.pointee.virtualPort) == packet.ports
        }
        if isFullNAT {
            return unsafe hot.pointee.destination == packet.source && hot.pointee.local == packet.destination
                && UInt32(hot.pointee.destinationPort) << 16 | UInt32(hot.pointee.localPort) == packet.ports
        }
        return unsafe hot.pointee.method == 0 && hot.pointee.destination == packet.source
            && hot.pointee.client == packet.destination
            && UInt32(hot.pointee.destinationPort) << 16 | UInt32(hot.pointee.clientPort) == packet.ports
    }

    /// The destination's address of an entry that `find` gave for a wide plain packet.
    @inlinable @inline(__always)
    public var wideDestination: IPAddress { unsafe wide.pointee.destination }
    /// The virtual address of an entry that `find` gave for a wide plain packet.
    @inlinable @inline(__always)
    public var wideVirtual: IPAddress { unsafe wide.pointee.virtual }

    /// Whether a wide plain packet is this entry's: IPv6 on both sides, NAT or, for requests, direct routing.
    @inlinable @inline(__always)
    func matches(_ packet: WidePlainPacket, isRequest: Bool) -> Bool {
        let bothWide = EntryKind.clientSideV6.rawValue | EntryKind.serverSideV6.rawValue
        guard kind.rawValue == bothWide, transportProtocol == packet.transportProtocol else { return false }
        if isRequest {
            let method = unsafe hot.pointee.method
            return unsafe (method == 0 || method == 3)
                && UInt32(hot.pointee.clientPort) << 16 | UInt32(hot.pointee.virtualPort) == packet.ports
                && wide.pointee.client == packet.source && wide.pointee.virtual == packet.destination
        }
        return unsafe hot.pointee.method == 0
            && UInt32(hot.pointee.destinationPort) << 16 | UInt32(hot.pointee.clientPort) == packet.ports
            && wide.pointee.destination == packet.source && wide.pointee.client == packet.destination
    }
}
