/// ICMP message types (RFC 792, IANA).
public enum ICMPType {
    /// Echo reply.
    @inlinable public static var echoReply: UInt8 { 0 }
    /// Destination unreachable; an `ICMPCode` says why.
    @inlinable public static var destinationUnreachable: UInt8 { 3 }
    /// Source quench (deprecated by RFC 6633).
    @inlinable public static var sourceQuench: UInt8 { 4 }
    /// Redirect.
    @inlinable public static var redirect: UInt8 { 5 }
    /// Echo request.
    @inlinable public static var echoRequest: UInt8 { 8 }
    /// Time exceeded.
    @inlinable public static var timeExceeded: UInt8 { 11 }
    /// Parameter problem.
    @inlinable public static var parameterProblem: UInt8 { 12 }
    /// Timestamp request.
    @inlinable public static var timestampRequest: UInt8 { 13 }
    /// Timestamp reply.
    @inlinable public static var timestampReply: UInt8 { 14 }
}

/// ICMP codes (RFC 792, RFC 1122 §3.2.2, IANA), each named with the type it belongs to.
public enum ICMPCode {
    /// Destination unreachable: no route to the network.
    @inlinable public static var networkUnreachable: UInt8 { 0 }
    /// Destination unreachable: the host does not answer.
    @inlinable public static var hostUnreachable: UInt8 { 1 }
    /// Destination unreachable: the host does not know the transport protocol.
    @inlinable public static var protocolUnreachable: UInt8 { 2 }
    /// Destination unreachable: nobody listens at the port.
    @inlinable public static var portUnreachable: UInt8 { 3 }
    /// Destination unreachable: too big and not to be fragmented; `ICMPHeader.nextHopMTU` says what fits (RFC 1191).
    @inlinable public static var fragmentationNeeded: UInt8 { 4 }
    /// Destination unreachable: the source route failed.
    @inlinable public static var sourceRouteFailed: UInt8 { 5 }
    /// Destination unreachable: communication administratively prohibited (RFC 1812 §5.2.7.1).
    @inlinable public static var administrativelyProhibited: UInt8 { 13 }
    /// Redirect for the host.
    @inlinable public static var redirectForHost: UInt8 { 1 }
    /// Time exceeded: the TTL ran out in transit.
    @inlinable public static var timeToLiveExceeded: UInt8 { 0 }
    /// Time exceeded: fragments stayed away.
    @inlinable public static var reassemblyTimeExceeded: UInt8 { 1 }
}

/// An ICMP message (RFC 792): type (0), code (1), checksum (2), four bytes that depend on the type (4); 8 bytes, then
/// the packet that an error quotes, or an echo's data.
///
/// Setters leave the checksum alone, which covers the whole message: call `fillChecksum` when done.
public struct ICMPHeader {
    /// Header length in bytes.
    @inlinable public static var length: Int { 8 }
    /// Offset of the checksum.
    @inlinable public static var checksumOffset: Int { 2 }
    @usableFromInline enum Field {
        @inlinable static var type: Int { 0 }
        @inlinable static var code: Int { 1 }
        @inlinable static var checksum: Int { 2 }
        @inlinable static var rest: Int { 4 }
        @inlinable static var identifier: Int { 4 }
        @inlinable static var nextHopMTU: Int { 6 }
        @inlinable static var sequence: Int { 6 }
    }

    /// The message from the first byte of the header to its last, no padding.
    public let bytes: PacketBytes

    /// A view of a message; nil when it is shorter than the header.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// An `ICMPType`.
    @inlinable @inline(__always)
    public var type: UInt8 {
        get { bytes[Field.type] }
        nonmutating set { bytes[Field.type] = newValue }
    }
    /// An `ICMPCode`.
    @inlinable @inline(__always)
    public var code: UInt8 {
        get { bytes[Field.code] }
        nonmutating set { bytes[Field.code] = newValue }
    }
    /// The four bytes after the checksum.
    @inlinable @inline(__always)
    public var rest: UInt32 {
        get { bytes.load(Field.rest) }
        nonmutating set { bytes.store(newValue, Field.rest) }
    }
    /// The largest packet in bytes that would have passed: of a `fragmentationNeeded` (RFC 1191 §4); zero if unknown.
    @inlinable @inline(__always)
    public var nextHopMTU: UInt16 {
        get { bytes.load(Field.nextHopMTU) }
        nonmutating set { bytes.store(newValue, Field.nextHopMTU) }
    }
    /// Identifier of an echo or timestamp.
    @inlinable @inline(__always)
    public var identifier: UInt16 {
        get { bytes.load(Field.identifier) }
        nonmutating set { bytes.store(newValue, Field.identifier) }
    }
    /// Sequence number of an echo or timestamp.
    @inlinable @inline(__always)
    public var sequence: UInt16 {
        get { bytes.load(Field.sequence) }
        nonmutating set { bytes.store(newValue, Field.sequence) }
    }

    /// Whether the message tells of an error, and so quotes a packet: types 3, 4, 5, 11 and 12 (RFC 1122 §3.2.2).
    @inlinable @inline(__always)
    public var isError: Bool { Self.isError(type) }

    /// Whether messages of `type` tell of errors: 3, 4, 5, 11 and 12 (RFC 1122 §3.2.2).
    @inlinable @inline(__always)
    public static func isError(_ type: UInt8) -> Bool {
        // A mask, since a list of types would be an array.
        type < 16 && (0b0001_1000_0011_1000 as UInt16) >> UInt16(type) & 1 != 0
    }

    /// What follows the header: of an error, the packet that it quotes, from its IP header on and mostly cut off; view
    /// it with `IPv4Header(quoted:)`.
    @inlinable @inline(__always)
    public var quoted: PacketBytes { bytes.dropping(Self.length) }

    /// Whether the checksum is right.
    @inlinable @inline(__always)
    public var hasValidChecksum: Bool { Checksum.checksum(bytes) == 0 }

    /// Compute the checksum of the whole message anew.
    @inlinable
    public func fillChecksum() {
        bytes.store(UInt16(0), Field.checksum)
        bytes.storeRaw(Checksum.checksum(bytes), Field.checksum)
    }

    /// Write a header; what follows it must be there already, for the checksum covers it.
    @inlinable
    public func emit(type: UInt8, code: UInt8, rest: UInt32) {
        self.type = type
        self.code = code
        self.rest = rest
        fillChecksum()
    }
}
