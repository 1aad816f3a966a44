public import Synchronization
public import Wire

/// A set of bits. As `OptionSet`, but with operations that the compiler can prove free of locks in every build.
public protocol Bits: BitwiseCopyable, Hashable {
    /// The integer that holds the bits.
    associatedtype RawValue: FixedWidthInteger
    /// The bits.
    var rawValue: RawValue { get set }
    /// From the bits.
    init(rawValue: RawValue)
}

extension Bits {
    /// No bit.
    @inlinable @inline(__always)
    public static var none: Self { Self(rawValue: 0) }
    /// Whether every bit of `other` is set.
    @inlinable @inline(__always)
    public func contains(_ other: Self) -> Bool { rawValue & other.rawValue == other.rawValue }
    /// Set the bits of `other`.
    @inlinable @inline(__always)
    public mutating func insert(_ other: Self) { rawValue |= other.rawValue }
    /// Clear the bits of `other`.
    @inlinable @inline(__always)
    public mutating func remove(_ other: Self) { rawValue &= ~other.rawValue }
    /// The bits of both.
    @inlinable @inline(__always)
    public static func | (left: Self, right: Self) -> Self { Self(rawValue: left.rawValue | right.rawValue) }
}

/// What an entry is, fixed when it is made.
public struct EntryKind: Bits, Sendable, BitwiseCopyable {
    /// The bits.
    public var rawValue: UInt8
    /// From the bits.
    @inlinable @inline(__always)
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// A persistence template.
    @inlinable @inline(__always)
    public static var template: EntryKind { EntryKind(rawValue: 1) }
    /// One-packet scheduling: never in the table.
    @inlinable @inline(__always)
    public static var onePacket: EntryKind { EntryKind(rawValue: 2) }
    /// The client side speaks IPv6: its addresses lie in the wide part.
    @inlinable @inline(__always)
    public static var clientSideV6: EntryKind { EntryKind(rawValue: 4) }
    /// The server side speaks IPv6.
    @inlinable @inline(__always)
    public static var serverSideV6: EntryKind { EntryKind(rawValue: 8) }
    /// The destination was an address of the director's own when the entry was made.
    @inlinable @inline(__always)
    public static var localDestination: EntryKind { EntryKind(rawValue: 16) }
    /// A template of a fwmark service: its virtual address is the mark.
    @inlinable @inline(__always)
    public static var markTemplate: EntryKind { EntryKind(rawValue: 32) }
}

/// What may change while an entry lives, in the upper bits of its state word.
public struct EntryFlags: Bits, Sendable, BitwiseCopyable {
    /// The bits.
    public var rawValue: UInt32
    /// From the bits.
    @inlinable @inline(__always)
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// No packet of the server was seen (kernel: `IP_VS_CONN_F_NOOUTPUT`): the transport uses its input-only table.
    @inlinable @inline(__always)
    public static var noOutput: EntryFlags { EntryFlags(rawValue: 0x100) }
    /// Counted as active at its destination.
    @inlinable @inline(__always)
    public static var active: EntryFlags { EntryFlags(rawValue: 0x200) }
    /// Taken out of the table; whoever set this owns the rest of the removal.
    @inlinable @inline(__always)
    public static var removed: EntryFlags { EntryFlags(rawValue: 0x400) }
    /// In the table.
    @inlinable @inline(__always)
    public static var hashed: EntryFlags { EntryFlags(rawValue: 0x800) }
    /// Waits in its worker's inbox to be armed anew or reclaimed.
    @inlinable @inline(__always)
    public static var inInbox: EntryFlags { EntryFlags(rawValue: 0x1000) }
    /// Handed to reclamation: nobody posts it to an inbox any more.
    @inlinable @inline(__always)
    public static var buried: EntryFlags { EntryFlags(rawValue: 0x2000) }
    /// Out of the lines of its home: no lookup that begins finds it. Whoever removed it says so; only then it is buried.
    @inlinable @inline(__always)
    public static var retired: EntryFlags { EntryFlags(rawValue: 0x8000) }
    /// A template that no lookup finds any more, though its time is not up; listed with ports 65535.
    @inlinable @inline(__always)
    public static var renamed: EntryFlags { EntryFlags(rawValue: 0x4000) }
    /// Controlled by a template.
    @inlinable @inline(__always)
    public static var controlled: EntryFlags { EntryFlags(rawValue: 0x8_0000) }
}

/// The part of an entry that each packet touches: one cache line of 64 bytes.
@usableFromInline
struct HotEntry: ~Copyable {
    @usableFromInline var client: UInt32 = 0
    @usableFromInline var virtual: UInt32 = 0
    @usableFromInline var destination: UInt32 = 0
    @usableFromInline var local: UInt32 = 0
    @usableFromInline var clientPort: UInt16 = 0
    @usableFromInline var virtualPort: UInt16 = 0
    @usableFromInline var destinationPort: UInt16 = 0
    @usableFromInline var localPort: UInt16 = 0
    @usableFromInline var transportProtocol: UInt8 = 0
    @usableFromInline var kind: UInt8 = 0
    @usableFromInline var method: UInt8 = 0
    /// A `ClientAddressCarrier` (FULLNAT).
    @usableFromInline var carrier: UInt8 = 0
    @usableFromInline var destinationSlot: UInt32 = 0
    /// State in the low byte, `EntryFlags` above.
    @usableFromInline let state = Atomic<UInt32>(0)
    @usableFromInline let deadline = Atomic<UInt32>(0)
    @usableFromInline let bytes = Atomic<UInt64>(0)
    @usableFromInline let requestPackets = Atomic<UInt32>(0)
    @usableFromInline let timeout = Atomic<UInt32>(0)
    @usableFromInline var sequenceOffset: UInt32 = 0
    /// Entries that this one (a template) controls; of a FULLNAT connection a sequence number (`reference`).
    @usableFromInline let controlled = Atomic<UInt32>(0)

    @usableFromInline init() {}
}

/// The part of an entry that only its making, its timer and its end touch: 32 bytes.
@usableFromInline
struct ColdEntry: ~Copyable {
    @usableFromInline var timerNext: UInt32 = 0
    @usableFromInline var timerPrevious: UInt32 = 0
    /// Index of the template that controls this entry, plus one; 0: none.
    @usableFromInline let control = Atomic<UInt32>(0)
    @usableFromInline var serviceSlot: UInt32 = 0
    @usableFromInline var created: UInt32 = 0
    /// Next entry, plus one, in its owner's inbox or, of a free entry, in the list of free entries.
    @usableFromInline let link = Atomic<UInt32>(0)
    /// The tick whose wheel slot the entry is linked in; written by the owner, read by all.
    @usableFromInline let armed = Atomic<UInt32>(0)
    /// Worker in the low byte, a sequence number of making above (newest first among equal reply keys).
    @usableFromInline var ownerAndSequence: UInt32 = 0

    @usableFromInline init() {}
}

/// The addresses of an entry one side of which speaks IPv6: 64 bytes, touched for such entries only.
@usableFromInline
struct WideEntry: BitwiseCopyable {
    @usableFromInline var client = IPAddress.anyV6
    @usableFromInline var virtual = IPAddress.anyV6
    @usableFromInline var destination = IPAddress.anyV6
    @usableFromInline var local = IPAddress.anyV6
    @usableFromInline init() {}
}

/// A connection entry or persistence template in the table's memory. A handle: three addresses and the index.
///
/// Addresses, ports, protocol, method and destination are written before the entry enters the table and never after.
/// State and deadline may change from any worker. The memory stays valid for a worker until it passes a quiescent
/// point, even if the entry is removed meanwhile.
@safe
public struct ConnectionEntry {
    @usableFromInline let hot: UnsafeMutablePointer<HotEntry>
    @usableFromInline let cold: UnsafeMutablePointer<ColdEntry>
    @usableFromInline let wide: UnsafeMutablePointer<WideEntry>
    /// The entry's place in the table.
    public let index: UInt32

    @inlinable @inline(__always)
    init(
        hot: UnsafeMutablePointer<HotEntry>, cold: UnsafeMutablePointer<ColdEntry>,
        wide: UnsafeMutablePointer<WideEntry>, index: UInt32
    ) {
        unsafe self.hot = hot
        unsafe self.cold = cold
        unsafe self.wide = wide
        self.index = index
    }

    /// What it is.
    @inlinable @inline(__always)
    public var kind: EntryKind { unsafe EntryKind(rawValue: hot.pointee.kind) }
    /// Its protocol (`IPProtocol`).
    @inlinable @inline(__always)
    public var transportProtocol: UInt8 { unsafe hot.pointee.transportProtocol }
    /// How its packets reach the destination, bound when it was made.
    @inlinable @inline(__always)
    public var method: ForwardingMethod {
        unsafe ForwardingMethod(rawValue: hot.pointee.method).unsafelyUnwrapped
    }
    /// The destination's slot.
    @inlinable @inline(__always)
    public var destinationSlot: UInt32 { unsafe hot.pointee.destinationSlot }
    /// The service's slot when it was made.
    @inlinable @inline(__always)
    public var serviceSlot: UInt32 { unsafe cold.pointee.serviceSlot }
    /// The client's address.
    @inlinable @inline(__always)
    public var client: IPAddress {
        unsafe kind.contains(.clientSideV6) ? wide.pointee.client : IPAddress(v4: hot.pointee.client)
    }
    /// The virtual address the client spoke to.
    @inlinable @inline(__always)
    public var virtual: IPAddress {
        unsafe kind.contains(.clientSideV6) ? wide.pointee.virtual : IPAddress(v4: hot.pointee.virtual)
    }
    /// The destination's address.
    @inlinable @inline(__always)
    public var destination: IPAddress {
        unsafe kind.contains(.serverSideV6) ? wide.pointee.destination : IPAddress(v4: hot.pointee.destination)
    }
    /// The local address of FULLNAT.
    @inlinable @inline(__always)
    public var local: IPAddress {
        unsafe kind.contains(.serverSideV6) ? wide.pointee.local : IPAddress(v4: hot.pointee.local)
    }
    /// The client's port.
    @inlinable @inline(__always)
    public var clientPort: UInt16 { unsafe hot.pointee.clientPort }
    /// The port the client spoke to.
    @inlinable @inline(__always)
    public var virtualPort: UInt16 { unsafe hot.pointee.virtualPort }
    /// The destination's port.
    @inlinable @inline(__always)
    public var destinationPort: UInt16 { unsafe hot.pointee.destinationPort }
    /// The local port of FULLNAT.
    @inlinable @inline(__always)
    public var localPort: UInt16 { unsafe hot.pointee.localPort }

    /// The key of the client's packets.
    @inlinable @inline(__always)
    public var requestKey: FlowKey {
        FlowKey(
            source: client, destination: virtual, sourcePort: clientPort, destinationPort: virtualPort,
            transportProtocol: transportProtocol, isTemplate: kind.contains(.template))
    }
    /// The key of the server's packets, where they come through the director.
    @inlinable @inline(__always)
    public var replyKey: FlowKey {
        FlowKey(
            source: destination, destination: isFullNAT ? local : client, sourcePort: destinationPort,
            destinationPort: isFullNAT ? localPort : clientPort, transportProtocol: transportProtocol)
    }
    /// Whether replies of this entry are looked for.
    @inlinable @inline(__always)
    public var hasReplyKey: Bool { unsafe hasReplies && hot.pointee.kind & 1 == 0 }

    /// State and flags, as one word.
    @inlinable @inline(__always)
    public var stateWord: UInt32 { unsafe hot.pointee.state.load(ordering: .acquiring) }
    /// The state, an index into the transport's tables.
    @inlinable @inline(__always)
    public var state: UInt8 { UInt8(truncatingIfNeeded: stateWord) }
    /// The flags.
    @inlinable @inline(__always)
    public var flags: EntryFlags { EntryFlags(rawValue: stateWord & ~0xff) }

    /// Replace state and flags if nobody else did meanwhile.
    @inlinable @inline(__always)
    public func exchangeState(_ old: UInt32, _ new: UInt32) -> Bool {
        unsafe hot.pointee.state.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
            .exchanged
    }

    /// Set flags; returns those that were set before.
    @inlinable @inline(__always) @discardableResult
    public func set(_ flags: EntryFlags) -> EntryFlags {
        let old = unsafe hot.pointee.state.bitwiseOr(flags.rawValue, ordering: .acquiringAndReleasing).oldValue
        return EntryFlags(rawValue: old & ~0xff)
    }

    /// Clear flags; returns those that were set before.
    @inlinable @inline(__always) @discardableResult
    public func clear(_ flags: EntryFlags) -> EntryFlags {
        let old = unsafe hot.pointee.state.bitwiseAnd(~flags.rawValue, ordering: .acquiringAndReleasing).oldValue
        return EntryFlags(rawValue: old & ~0xff)
    }

    /// When it ends.
    @inlinable @inline(__always)
    public var deadline: Tick {
        get { unsafe hot.pointee.deadline.load(ordering: .relaxed) }
        nonmutating set { unsafe hot.pointee.deadline.store(newValue, ordering: .relaxed) }
    }
    /// Ticks that each packet gives it.
    @inlinable @inline(__always)
    public var timeout: Tick {
        get { unsafe hot.pointee.timeout.load(ordering: .relaxed) }
        nonmutating set { unsafe hot.pointee.timeout.store(newValue, ordering: .relaxed) }
    }
    /// The tick at which the wheel looks at it next.
    @inlinable @inline(__always)
    public var armed: Tick {
        get { unsafe cold.pointee.armed.load(ordering: .relaxed) }
        nonmutating set { unsafe cold.pointee.armed.store(newValue, ordering: .relaxed) }
    }
    /// When it was made.
    @inlinable @inline(__always)
    public var created: Tick { unsafe cold.pointee.created }
    /// Bytes (IP total length) both ways. Two workers that count at once may lose one packet's bytes.
    @inlinable @inline(__always)
    public var bytes: UInt64 { unsafe hot.pointee.bytes.load(ordering: .relaxed) }
    /// Packets of the client.
    @inlinable @inline(__always)
    public var requestPackets: UInt32 { unsafe hot.pointee.requestPackets.load(ordering: .relaxed) }

    /// Count a packet of `length` bytes; one writer a direction.
    @inlinable @inline(__always)
    public func count(length: Int, isRequest: Bool) {
        unsafe hot.pointee.bytes.store(bytes &+ UInt64(truncatingIfNeeded: length), ordering: .relaxed)
        if isRequest { unsafe hot.pointee.requestPackets.store(requestPackets &+ 1, ordering: .relaxed) }
    }

    /// Number of entries this template controls; 0 of any other entry.
    @inlinable @inline(__always)
    public var controlled: UInt32 {
        kind.contains(.template) ? unsafe hot.pointee.controlled.load(ordering: .acquiring) : 0
    }
    @inlinable @inline(__always)
    func addControlled() { unsafe _ = hot.pointee.controlled.wrappingAdd(1, ordering: .acquiringAndReleasing) }
    @inlinable @inline(__always)
    func removeControlled() { unsafe _ = hot.pointee.controlled.wrappingSubtract(1, ordering: .acquiringAndReleasing) }

    /// Index of the template that controls this entry; nil: none.
    @inlinable @inline(__always)
    public var control: UInt32? {
        get {
            let reference = unsafe cold.pointee.control.load(ordering: .relaxed)
            return reference == 0 ? nil : reference &- 1
        }
        nonmutating set { unsafe cold.pointee.control.store(newValue.map { $0 &+ 1 } ?? 0, ordering: .relaxed) }
    }

    @inlinable @inline(__always)
    var owner: UInt8 { unsafe UInt8(truncatingIfNeeded: cold.pointee.ownerAndSequence) }
    @inlinable @inline(__always)
    var sequence: UInt32 { unsafe cold.pointee.ownerAndSequence >> 8 }
    @inlinable @inline(__always)
    var timerNext: UInt32 {
        get { unsafe cold.pointee.timerNext }
        nonmutating set { unsafe cold.pointee.timerNext = newValue }
    }
    @inlinable @inline(__always)
    var link: UInt32 {
        get { unsafe cold.pointee.link.load(ordering: .relaxed) }
        nonmutating set { unsafe cold.pointee.link.store(newValue, ordering: .relaxed) }
    }
    @inlinable @inline(__always)
    var timerPrevious: UInt32 {
        get { unsafe cold.pointee.timerPrevious }
        nonmutating set { unsafe cold.pointee.timerPrevious = newValue }
    }
}
