/// ICMPv6 message types (RFC 4443, RFC 4861, RFC 2710, RFC 3810).
public enum ICMPv6Type {
    /// Destination unreachable; an `ICMPv6Code` says why.
    @inlinable public static var destinationUnreachable: UInt8 { 1 }
    /// Packet too big; `ICMPv6Header.mtu` says what fits.
    @inlinable public static var packetTooBig: UInt8 { 2 }
    /// Time exceeded.
    @inlinable public static var timeExceeded: UInt8 { 3 }
    /// Parameter problem.
    @inlinable public static var parameterProblem: UInt8 { 4 }
    /// Echo request.
    @inlinable public static var echoRequest: UInt8 { 128 }
    /// Echo reply.
    @inlinable public static var echoReply: UInt8 { 129 }
    /// Multicast listener query.
    @inlinable public static var listenerQuery: UInt8 { 130 }
    /// Multicast listener report.
    @inlinable public static var listenerReport: UInt8 { 131 }
    /// Multicast listener done.
    @inlinable public static var listenerDone: UInt8 { 132 }
    /// Router solicitation.
    @inlinable public static var routerSolicitation: UInt8 { 133 }
    /// Router advertisement.
    @inlinable public static var routerAdvertisement: UInt8 { 134 }
    /// Neighbour solicitation.
    @inlinable public static var neighborSolicitation: UInt8 { 135 }
    /// Neighbour advertisement.
    @inlinable public static var neighborAdvertisement: UInt8 { 136 }
    /// Redirect.
    @inlinable public static var redirect: UInt8 { 137 }
    /// Multicast listener report, version 2.
    @inlinable public static var listenerReportV2: UInt8 { 143 }
}

/// ICMPv6 codes (RFC 4443 §3), each named with the type it belongs to.
public enum ICMPv6Code {
    /// Destination unreachable: no route.
    @inlinable public static var noRoute: UInt8 { 0 }
    /// Destination unreachable: administratively prohibited.
    @inlinable public static var administrativelyProhibited: UInt8 { 1 }
    /// Destination unreachable: beyond the scope of the source.
    @inlinable public static var beyondScope: UInt8 { 2 }
    /// Destination unreachable: the address does not answer.
    @inlinable public static var addressUnreachable: UInt8 { 3 }
    /// Destination unreachable: nobody listens at the port.
    @inlinable public static var portUnreachable: UInt8 { 4 }
    /// Time exceeded: the hop limit ran out in transit.
    @inlinable public static var hopLimitExceeded: UInt8 { 0 }
    /// Time exceeded: fragments stayed away.
    @inlinable public static var reassemblyTimeExceeded: UInt8 { 1 }
    /// Parameter problem: a field is wrong.
    @inlinable public static var erroneousField: UInt8 { 0 }
    /// Parameter problem: nobody knows the next header.
    @inlinable public static var unknownNextHeader: UInt8 { 1 }
    /// Parameter problem: nobody knows an option.
    @inlinable public static var unknownOption: UInt8 { 2 }
}

/// An ICMPv6 message (RFC 4443 §2.1): type (0), code (1), checksum (2), four bytes that depend on the type (4); 8 bytes,
/// then the packet that an error quotes, or an echo's data.
///
/// Setters leave the checksum alone, which covers the whole message and the pseudo-header: call `fillChecksum` when done.
public struct ICMPv6Header {
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

    /// An `ICMPv6Type`.
    @inlinable @inline(__always)
    public var type: UInt8 {
        get { bytes[Field.type] }
        nonmutating set { bytes[Field.type] = newValue }
    }
    /// An `ICMPv6Code`.
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
    /// The largest packet in bytes that would have passed: of a `packetTooBig` (RFC 4443 §3.2).
    @inlinable @inline(__always)
    public var mtu: UInt32 {
        get { rest }
        nonmutating set { rest = newValue }
    }
    /// Identifier of an echo.
    @inlinable @inline(__always)
    public var identifier: UInt16 {
        get { bytes.load(Field.identifier) }
        nonmutating set { bytes.store(newValue, Field.identifier) }
    }
    /// Sequence number of an echo.
    @inlinable @inline(__always)
    public var sequence: UInt16 {
        get { bytes.load(Field.sequence) }
        nonmutating set { bytes.store(newValue, Field.sequence) }
    }

    /// Whether the message tells of an error, and so quotes a packet: types below 128 (RFC 4443 §2.1).
    @inlinable @inline(__always)
    public var isError: Bool { Self.isError(type) }

    /// Whether messages of `type` tell of errors: those below 128 (RFC 4443 §2.1).
    @inlinable @inline(__always)
    public static func isError(_ type: UInt8) -> Bool { type < 128 }

    /// What follows the header: of an error, the packet that it quotes, from its IPv6 header on and mostly cut off; view
    /// it with `IPv6Header(quoted:)`.
    @inlinable @inline(__always)
    public var quoted: PacketBytes { bytes.dropping(Self.length) }

    /// Whether the checksum is right for a packet between these addresses.
    @inlinable
    public func hasValidChecksum(source: IPAddress, destination: IPAddress) -> Bool {
        let pseudo = Checksum.pseudoHeader(
            source, destination, transportProtocol: IPProtocol.icmpv6, length: bytes.count)
        return Checksum.checksum(bytes, pseudo) == 0
    }

    /// Compute the checksum of the whole message anew, for a packet between these addresses.
    @inlinable
    public func fillChecksum(source: IPAddress, destination: IPAddress) {
        TransportChecksum.fill(
            bytes, at: Field.checksum, source: source, destination: destination,
            transportProtocol: IPProtocol.icmpv6)
    }

    /// Write a header; what follows it must be there already, for the checksum covers it.
    @inlinable
    public func emit(type: UInt8, code: UInt8, rest: UInt32, source: IPAddress, destination: IPAddress) {
        self.type = type
        self.code = code
        self.rest = rest
        fillChecksum(source: source, destination: destination)
    }
}
