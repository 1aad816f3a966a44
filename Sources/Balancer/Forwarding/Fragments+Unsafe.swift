public import Wire

/// Datagrams of which some fragments have come: bounded in number, size and time. One worker's.
///
/// As Linux does (`net/ipv4/ip_fragment.c`, `net/ipv4/inet_fragment.c`, `net/ipv6/netfilter/nf_conntrack_reasm.c`): a
/// fragment whose bytes are all there already is left out, one that overlaps others ends the datagram (RFC 5722), and
/// IPv4 so does one that contradicts the datagram's end; IPv6 leaves that out. When all places are taken, the oldest datagram makes room, so that a flood
/// of lone fragments does not shut out those that are complete a moment later.
@safe
public struct Fragments: ~Copyable {
    /// Most datagrams.
    public static var capacity: Int { 64 }
    /// Most fragments of a datagram: 64 KB in pieces of 512 bytes.
    public static var fragmentLimit: Int { 128 }
    /// Ticks that a datagram's fragments wait for the others: 30 s for IPv4 (`ip_frag_time`), 60 s for IPv6 (RFC 8200 §4.5).
    public static func patience(isV4: Bool) -> Tick { Ticks.seconds(isV4 ? 30 : 60) }

    /// Room before a datagram's payload: headroom, Ethernet header, network headers.
    private static var headerRoom: Int { 512 }
    private static var slotBytes: Int { headerRoom &+ 65_536 }
    /// Most bytes of an IP packet.
    private static var largestPacket: Int { 65_535 }

    /// The bytes of one fragment in its datagram's payload.
    private struct Extent {
        var offset: UInt16
        var length: UInt16
        var start: Int { Int(offset) }
        var end: Int { Int(offset) &+ Int(length) }
    }

    private struct Datagram {
        var source = IPAddress.anyV4
        var destination = IPAddress.anyV4
        var identification: UInt32 = 0
        /// 0 for IPv6, whose fragments are told apart without it.
        var transportProtocol: UInt8 = 0
        var isUsed = false
        var hasLast = false
        /// The ECN values that came, a bit each.
        var congestion: UInt8 = 0
        var deadline: Tick = 0
        var count = 0
        /// Payload bytes that came.
        var received = 0
        /// Where the payload ends, as far as is known.
        var end = 0
        /// Length of the largest fragment as a packet, and of the largest with DF.
        var largest = 0
        var largestWhole = 0
        /// Bytes of Ethernet and network header of the first fragment, before the payload; 0: it has not come.
        var headerLength = 0
    }

    /// What became of a fragment.
    public enum Addition: Sendable {
        /// It waits for others.
        case waits
        /// It was left out.
        case refused
        /// It ended its datagram, of which so many fragments had waited.
        case broken(waiting: Int)
        /// The datagram in this place is complete.
        case complete(Int)
    }

    private let datagrams: UnsafeMutablePointer<Datagram>
    private let extents: UnsafeMutablePointer<Extent>
    private let memory: UnsafeMutableRawPointer
    /// Datagrams that wait.
    public private(set) var count = 0
    /// No datagram's time is up before this.
    private var nextDeadline: Tick = 0

    /// No datagram. The memory of payloads is touched only as it is used.
    public init() {
        unsafe datagrams = .allocate(capacity: Self.capacity)
        unsafe datagrams.initialize(repeating: Datagram(), count: Self.capacity)
        unsafe extents = .allocate(capacity: Self.capacity &* Self.fragmentLimit)
        unsafe memory = .allocate(byteCount: Self.capacity &* Self.slotBytes, alignment: 64)
    }

    deinit {
        unsafe datagrams.deallocate()
        unsafe extents.deallocate()
        unsafe memory.deallocate()
    }

    private func payload(_ place: Int) -> PacketBytes {
        unsafe PacketBytes(memory + place &* Self.slotBytes + Self.headerRoom, count: Self.slotBytes &- Self.headerRoom)
    }

    private func extents(_ place: Int) -> UnsafeMutablePointer<Extent> {
        unsafe extents + place &* Self.fragmentLimit
    }

    // MARK: Adding

    /// Whether a fragment of `packet`'s datagram would need a place when none is free: `evictOldest` first.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func needsRoom(_ packet: PacketDescription, _ bytes: PacketBytes) -> Bool {
        count == Self.capacity && find(packet, identification(packet, bytes)) == nil
    }

    /// Give up the oldest datagram.
    /// - Returns: how many of its fragments had waited.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func evictOldest() -> Int {
        var oldest = 0
        var place = 1
        while place < Self.capacity {
            if unsafe Ticks.isBefore(datagrams[place].deadline, datagrams[oldest].deadline) { oldest = place }
            place &+= 1
        }
        let waiting = unsafe datagrams[oldest].count
        release(oldest)
        return waiting
    }

    /// Add a fragment. There must be room.
    /// - Parameters:
    ///   - bytes: the frame.
    ///   - packet: what it is: a fragment.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func add(_ bytes: PacketBytes, _ packet: PacketDescription, now: Tick) -> Addition {
        let identification = identification(packet, bytes)
        guard let place = find(packet, identification) ?? take(packet, identification, now: now) else {
            return .refused
        }
        let start = packet.isV4 ? packet.transportOffset : packet.fragmentHeaderOffset &+ IPv6Fragment.length
        let piece = bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(start)
        let hasMore =
            packet.isV4
            ? bytes.load(packet.networkOffset &+ 6, as: UInt16.self) & IPv4Header.moreFragments != 0
            : IPv6Fragment(unchecked: bytes.dropping(packet.fragmentHeaderOffset)).hasMoreFragments
        var length = piece.count
        if hasMore, length & 7 != 0 {
            guard packet.isV4 else { return giveUp(place) }
            length &= ~7
        }
        let offset = packet.fragmentOffset
        let end = offset &+ length
        guard length > 0, end <= Self.largestPacket else { return giveUp(place) }
        guard fitsEnd(place, end, hasMore: hasMore) else {
            // IPv6's kernel code leaves such a fragment out, IPv4's gives the datagram up.
            return packet.isV4 ? giveUp(place) : .refused
        }
        switch insert(place, offset, length) {
        case .waits: break
        case let other: return other
        }
        payload(place).copy(from: piece.prefix(length), to: offset)
        if offset == 0 {
            let header = bytes.prefix(start)
            guard header.count <= Self.headerRoom &- Frame.headroom else { return giveUp(place, counted: true) }
            unsafe PacketBytes(payload(place).pointer(at: -header.count), count: header.count).copy(from: header)
            unsafe datagrams[place].headerLength = header.count
        }
        note(place, bytes, packet)
        guard isComplete(place) else { return .waits }
        return isPossible(place, packet) ? .complete(place) : giveUp(place, counted: true)
    }

    private func identification(_ packet: PacketDescription, _ bytes: PacketBytes) -> UInt32 {
        packet.isV4
            ? UInt32(bytes.load(packet.networkOffset &+ 4, as: UInt16.self))
            : IPv6Fragment(unchecked: bytes.dropping(packet.fragmentHeaderOffset)).identification
    }

    private func find(_ packet: PacketDescription, _ identification: UInt32) -> Int? {
        let transportProtocol = packet.isV4 ? packet.transportProtocol : 0
        var place = 0
        while place < Self.capacity {
            let found = unsafe datagrams + place
            if unsafe found.pointee.identification == identification && found.pointee.isUsed
                && found.pointee.transportProtocol == transportProtocol && found.pointee.source == packet.key.source
                && found.pointee.destination == packet.key.destination
            {
                return place
            }
            place &+= 1
        }
        return nil
    }

    private mutating func take(_ packet: PacketDescription, _ identification: UInt32, now: Tick) -> Int? {
        var place = 0
        while place < Self.capacity, unsafe datagrams[place].isUsed { place &+= 1 }
        guard place < Self.capacity else { return nil }
        var new = Datagram()
        new.source = packet.key.source
        new.destination = packet.key.destination
        new.identification = identification
        new.transportProtocol = packet.isV4 ? packet.transportProtocol : 0
        new.isUsed = true
        new.deadline = now &+ Self.patience(isV4: packet.isV4)
        unsafe datagrams[place] = new
        if count == 0 || Ticks.isBefore(new.deadline, nextDeadline) { nextDeadline = new.deadline }
        count &+= 1
        return place
    }

    /// Free a datagram's place. Its frame is not to be used any more.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func release(_ place: Int) {
        unsafe datagrams[place].isUsed = false
        count &-= 1
    }

    /// - Parameter counted: whether the fragment at hand is among the datagram's already.
    private mutating func giveUp(_ place: Int, counted: Bool = false) -> Addition {
        let waiting = unsafe datagrams[place].count &- (counted ? 1 : 0)
        release(place)
        return .broken(waiting: waiting)
    }

    /// Whether a fragment that ends at `end` agrees with what is known of the datagram's end.
    private func fitsEnd(_ place: Int, _ end: Int, hasMore: Bool) -> Bool {
        let found = unsafe datagrams + place
        if unsafe hasMore ? found.pointee.hasLast && end > found.pointee.end : end < found.pointee.end { return false }
        if unsafe !hasMore && found.pointee.hasLast && end != found.pointee.end { return false }
        unsafe found.pointee.end = max(found.pointee.end, end)
        if !hasMore { unsafe found.pointee.hasLast = true }
        return true
    }

    /// Put a fragment's bytes among the others, by offset.
    private mutating func insert(_ place: Int, _ offset: Int, _ length: Int) -> Addition {
        let list = unsafe extents(place)
        let count = unsafe datagrams[place].count
        let end = offset &+ length
        var index = count
        while index > 0, unsafe list[index &- 1].start > offset { index &-= 1 }
        if unsafe index > 0 && list[index &- 1].end > offset {
            return unsafe isCovered(list, from: index &- 1, count, end) ? .refused : giveUp(place)
        }
        if unsafe index < count && list[index].start < end { return giveUp(place) }
        guard count < Self.fragmentLimit else { return giveUp(place) }
        var last = count
        while last > index {
            unsafe list[last] = list[last &- 1]
            last &-= 1
        }
        unsafe list[index] = Extent(
            offset: UInt16(truncatingIfNeeded: offset), length: UInt16(truncatingIfNeeded: length))
        unsafe datagrams[place].count = count &+ 1
        unsafe datagrams[place].received &+= length
        return .waits
    }

    /// Whether the bytes from extent `first` on up to `end` are all there.
    private func isCovered(_ list: UnsafeMutablePointer<Extent>, from first: Int, _ count: Int, _ end: Int) -> Bool {
        var covered = unsafe list[first].end
        var index = first &+ 1
        while covered < end, index < count, unsafe list[index].start == covered {
            covered = unsafe list[index].end
            index &+= 1
        }
        return covered >= end
    }

    /// Note a fragment's length, DF bit and ECN.
    private mutating func note(_ place: Int, _ bytes: PacketBytes, _ packet: PacketDescription) {
        let found = unsafe datagrams + place
        let network = bytes.dropping(packet.networkOffset)
        let service =
            packet.isV4 ? IPv4Header(unchecked: network).typeOfService : IPv6Header(unchecked: network).trafficClass
        unsafe found.pointee.congestion |= 1 << (service & 3)
        unsafe found.pointee.largest = max(found.pointee.largest, packet.networkLength)
        if packet.isV4, packet.doesNotFragment {
            unsafe found.pointee.largestWhole = max(found.pointee.largestWhole, packet.networkLength)
        }
    }

    private func isComplete(_ place: Int) -> Bool {
        let found = unsafe datagrams + place
        return unsafe found.pointee.hasLast && found.pointee.headerLength > 0
            && found.pointee.received == found.pointee.end
    }

    /// Whether the whole is a packet: not too long, and of fragments that agree on being capable of ECN (RFC 3168 §5.3).
    private func isPossible(_ place: Int, _ packet: PacketDescription) -> Bool {
        let found = unsafe datagrams + place
        let headers =
            unsafe found.pointee.headerLength &- packet.networkOffset &- (packet.isV4 ? 0 : IPv6Fragment.length)
        let length = unsafe headers &+ found.pointee.end
        let limit = packet.isV4 ? Self.largestPacket : Self.largestPacket &+ IPv6Header.length
        let congestion = unsafe found.pointee.congestion
        return length <= limit && (congestion & 1 == 0 || congestion == 1)
    }

    // MARK: Whole datagrams

    /// The frame of a complete datagram, its headers those of the first fragment; valid until `release`. Called once.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func assemble(_ place: Int, networkOffset: Int, isV4: Bool) -> Frame {
        var frame = firstFragment(place)
        frame.length = unsafe datagrams[place].headerLength &+ datagrams[place].end
        let hasCongestion = unsafe datagrams[place].congestion & 8 != 0
        if isV4 {
            let header = IPv4Header(unchecked: frame.bytes.dropping(networkOffset))
            let isWhole = unsafe datagrams[place].largestWhole == datagrams[place].largest
            header.setTotalLength(frame.length &- networkOffset)
            header.setFragmentWord(isWhole ? IPv4Header.dontFragment : 0)
            if hasCongestion { header.setWord(header.bytes.load(0, as: UInt16.self) | 3, at: 0) }
            return frame
        }
        removeFragmentHeader(&frame, networkOffset, headers: unsafe datagrams[place].headerLength)
        let header = IPv6Header(unchecked: frame.bytes.dropping(networkOffset))
        header.payloadLength = frame.length &- networkOffset &- IPv6Header.length
        if hasCongestion { header.trafficClass |= 3 }
        return frame
    }

    /// The headers before the fragment header, which ends where the payload begins, move up to the payload.
    private func removeFragmentHeader(_ frame: inout Frame, _ networkOffset: Int, headers: Int) {
        let bytes = frame.bytes
        let network = bytes.dropping(networkOffset)
        let end = headers &- networkOffset &- IPv6Fragment.length
        var kind = network[6]
        var nextHeaderOffset = 6
        var offset = IPv6Header.length
        while offset < end {
            let units = Int(network[offset &+ 1])
            // RFC 4302 §2.2: in units of four bytes, less two.
            let length = kind == IPProtocol.authentication ? (units &+ 2) &* 4 : (units &+ 1) &* 8
            kind = network[offset]
            nextHeaderOffset = offset
            offset &+= length
        }
        network[nextHeaderOffset] = network[end]
        bytes.copy(from: bytes.prefix(networkOffset &+ end), to: IPv6Fragment.length)
        frame.removeFirst(IPv6Fragment.length)
    }

    /// The first fragment's frame as it came. Only where `hasFirst`, and not after `assemble`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func firstFragment(_ place: Int) -> Frame {
        let header = unsafe datagrams[place].headerLength
        var frame = unsafe Frame(buffer: memory + place &* Self.slotBytes, capacity: Self.slotBytes)
        frame.start = Self.headerRoom &- header
        frame.length = unsafe header &+ extents(place)[0].end
        return frame
    }

    /// Whether the first fragment has come.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func hasFirst(_ place: Int) -> Bool { unsafe datagrams[place].headerLength > 0 }
    /// Fragments of a datagram that came.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func fragmentCount(_ place: Int) -> Int { unsafe datagrams[place].count }
    /// Payload bytes of fragment `index`, by offset.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func length(_ place: Int, _ index: Int) -> Int { unsafe Int(extents(place)[index].length) }
    /// Length of the largest fragment as a packet, in bytes.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func largest(_ place: Int) -> Int { unsafe datagrams[place].largest }
    /// Length of the payload of a complete datagram, in bytes.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func payloadLength(_ place: Int) -> Int { unsafe datagrams[place].end }
    /// The identification that the fragments share.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func identification(_ place: Int) -> UInt32 { unsafe datagrams[place].identification }

    /// A datagram whose time is up; nil when there is none.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func expired(now: Tick) -> Int? {
        guard count > 0, !Ticks.isBefore(now, nextDeadline) else { return nil }
        var oldest = -1
        var place = 0
        while place < Self.capacity {
            if unsafe datagrams[place].isUsed
                && (oldest < 0 || Ticks.isBefore(datagrams[place].deadline, datagrams[oldest].deadline))
            {
                oldest = place
            }
            place &+= 1
        }
        guard oldest >= 0 else { return nil }
        nextDeadline = unsafe datagrams[oldest].deadline
        return Ticks.isBefore(now, nextDeadline) ? nil : oldest
    }
}
