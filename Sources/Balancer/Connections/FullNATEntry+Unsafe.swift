public import Synchronization
import Wire

/// What a FULLNAT entry is bound to besides what every entry has.
public struct FullNATBinding: Sendable {
    /// The local address and port.
    public var local: LocalEndpoint
    /// How the real server learns the client's address.
    public var carrier: ClientAddressCarrier
    /// TCP: added to the client's sequence numbers on their way.
    public var sequenceOffset: UInt32
    /// TCP: the sequence number of the client's first byte.
    public var firstSequence: UInt32

    /// From its parts.
    @inlinable @inline(__always)
    public init(
        local: LocalEndpoint, carrier: ClientAddressCarrier = .none, sequenceOffset: UInt32 = 0,
        firstSequence: UInt32 = 0
    ) {
        self.local = local
        self.carrier = carrier
        self.sequenceOffset = sequenceOffset
        self.firstSequence = firstSequence
    }
}

extension EntryFlags {
    /// FULLNAT with TOA: `reference` is the sequence number of the server's first byte.
    @inlinable @inline(__always)
    public static var serverKnown: EntryFlags { EntryFlags(rawValue: 0x1_0000) }
    /// FULLNAT with the PROXY protocol: the header was sent.
    @inlinable @inline(__always)
    public static var headerSent: EntryFlags { EntryFlags(rawValue: 0x2_0000) }
    /// FULLNAT with the PROXY protocol: the server has acknowledged the header.
    @inlinable @inline(__always)
    public static var headerArrived: EntryFlags { EntryFlags(rawValue: 0x4_0000) }
}

/// FULLNAT's part of an entry. It takes no memory of its own: a connection has no tunnel kind, and controls no entries.
extension ConnectionEntry {
    /// Whether packets of both directions come to the director: NAT and FULLNAT, whose raw values are 0 and 4.
    @inlinable @inline(__always)
    public var hasReplies: Bool { unsafe hot.pointee.method & 3 == 0 }

    /// Whether it is FULLNAT's.
    @inlinable @inline(__always)
    public var isFullNAT: Bool { unsafe hot.pointee.method == 4 }

    /// Whether one side speaks IPv6 and the other IPv4.
    @inlinable @inline(__always)
    public var translatesFamily: Bool { unsafe (hot.pointee.kind >> 2 ^ hot.pointee.kind >> 3) & 1 != 0 }

    /// Bind an entry that nobody sees yet.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func bind(_ binding: FullNATBinding) {
        unsafe hot.pointee.local = binding.local.address.v4
        unsafe hot.pointee.localPort = binding.local.port
        unsafe hot.pointee.carrier = binding.carrier.rawValue
        unsafe hot.pointee.sequenceOffset = binding.sequenceOffset
        unsafe hot.pointee.controlled.store(binding.firstSequence, ordering: .relaxed)
        if kind.contains(.serverSideV6) { unsafe wide.pointee.local = binding.local.address }
    }

    /// The local address and port; port 0: none.
    @inlinable @inline(__always)
    public var localEndpoint: LocalEndpoint { LocalEndpoint(address: local, port: localPort) }

    /// How the real server learns the client's address.
    @inlinable @inline(__always)
    public var carrier: ClientAddressCarrier {
        unsafe ClientAddressCarrier(rawValue: hot.pointee.carrier) ?? ClientAddressCarrier.none
    }

    /// TCP: added to the client's sequence numbers on their way.
    @inlinable @inline(__always)
    public var sequenceOffset: UInt32 { unsafe hot.pointee.sequenceOffset }

    /// TCP: with TOA the sequence number of the server's first byte, valid with `serverKnown`; with the PROXY protocol that
    /// of the client's, as the client counts. Shares its word with `controlled`, which is a template's.
    @inlinable @inline(__always)
    public var reference: UInt32 {
        get { unsafe hot.pointee.controlled.load(ordering: .relaxed) }
        nonmutating set { unsafe hot.pointee.controlled.store(newValue, ordering: .relaxed) }
    }
}
