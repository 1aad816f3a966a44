/// The flags of a TCP header (RFC 9293 §3.1), the low byte of the offset word.
public struct TCPFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    /// The byte at offset 13.
    public let rawValue: UInt8
    /// From the byte at offset 13.
    @inlinable @inline(__always)
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// No more data from the sender.
    @inlinable public static var fin: TCPFlags { TCPFlags(rawValue: 0x01) }
    /// Synchronise sequence numbers.
    @inlinable public static var syn: TCPFlags { TCPFlags(rawValue: 0x02) }
    /// Reset the connection.
    @inlinable public static var rst: TCPFlags { TCPFlags(rawValue: 0x04) }
    /// Push.
    @inlinable public static var psh: TCPFlags { TCPFlags(rawValue: 0x08) }
    /// The acknowledgement field counts.
    @inlinable public static var ack: TCPFlags { TCPFlags(rawValue: 0x10) }
    /// The urgent pointer counts.
    @inlinable public static var urg: TCPFlags { TCPFlags(rawValue: 0x20) }
    /// ECN echo (RFC 3168).
    @inlinable public static var ece: TCPFlags { TCPFlags(rawValue: 0x40) }
    /// Congestion window reduced (RFC 3168).
    @inlinable public static var cwr: TCPFlags { TCPFlags(rawValue: 0x80) }
}

/// A TCP header (RFC 9293 §3.1): ports (0, 2), sequence (4), acknowledgement (8), data offset (12), flags (13), window
/// (14), checksum (16), urgent pointer (18), options (20).
public struct TCPHeader {
    /// Length without options, in bytes.
    @inlinable public static var minimumLength: Int { 20 }
    /// Offset of the checksum.
    @inlinable public static var checksumOffset: Int { 16 }
    @usableFromInline enum Field {
        @inlinable static var sourcePort: Int { 0 }
        @inlinable static var destinationPort: Int { 2 }
        @inlinable static var sequence: Int { 4 }
        @inlinable static var acknowledgement: Int { 8 }
        @inlinable static var dataOffset: Int { 12 }
        @inlinable static var flags: Int { 13 }
        @inlinable static var window: Int { 14 }
        @inlinable static var checksum: Int { 16 }
        @inlinable static var urgentPointer: Int { 18 }
    }

    /// The segment from the first byte of the header.
    public let bytes: PacketBytes

    /// A view of a segment; nil unless the header, options included, is there.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.minimumLength else { return nil }
        let header = Int(bytes[Field.dataOffset] >> 4) &* 4
        guard header >= Self.minimumLength, header <= bytes.count else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// Source port.
    @inlinable @inline(__always)
    public var sourcePort: UInt16 {
        get { bytes.load(Field.sourcePort) }
        nonmutating set { bytes.store(newValue, Field.sourcePort) }
    }
    /// Destination port.
    @inlinable @inline(__always)
    public var destinationPort: UInt16 {
        get { bytes.load(Field.destinationPort) }
        nonmutating set { bytes.store(newValue, Field.destinationPort) }
    }
    /// Sequence number.
    @inlinable @inline(__always)
    public var sequence: UInt32 {
        get { bytes.load(Field.sequence) }
        nonmutating set { bytes.store(newValue, Field.sequence) }
    }
    /// Acknowledgement number.
    @inlinable @inline(__always)
    public var acknowledgement: UInt32 {
        get { bytes.load(Field.acknowledgement) }
        nonmutating set { bytes.store(newValue, Field.acknowledgement) }
    }
    /// Header length in bytes, options included.
    @inlinable @inline(__always)
    public var headerLength: Int {
        get { Int(bytes[Field.dataOffset] >> 4) &* 4 }
        nonmutating set { bytes[Field.dataOffset] = UInt8(truncatingIfNeeded: newValue &<< 2) }
    }
    /// The flags.
    @inlinable @inline(__always)
    public var flags: TCPFlags {
        get { TCPFlags(rawValue: bytes[Field.flags]) }
        nonmutating set { bytes[Field.flags] = newValue.rawValue }
    }
    /// Receive window, unscaled.
    @inlinable @inline(__always)
    public var window: UInt16 {
        get { bytes.load(Field.window) }
        nonmutating set { bytes.store(newValue, Field.window) }
    }
    /// Urgent pointer.
    @inlinable @inline(__always)
    public var urgentPointer: UInt16 {
        get { bytes.load(Field.urgentPointer) }
        nonmutating set { bytes.store(newValue, Field.urgentPointer) }
    }
    /// The options' bytes.
    @inlinable @inline(__always)
    public var options: PacketBytes { bytes.prefix(headerLength).dropping(Self.minimumLength) }
    /// What follows the header.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.dropping(headerLength) }
}
