/// A UDP header (RFC 768): ports (0, 2), length (4), checksum (6); 8 bytes.
public struct UDPHeader {
    /// Header length in bytes.
    @inlinable public static var length: Int { 8 }
    /// Offset of the checksum.
    @inlinable public static var checksumOffset: Int { 6 }
    @usableFromInline enum Field {
        @inlinable static var sourcePort: Int { 0 }
        @inlinable static var destinationPort: Int { 2 }
        @inlinable static var length: Int { 4 }
        @inlinable static var checksum: Int { 6 }
    }

    /// The datagram from the first byte of the header.
    public let bytes: PacketBytes

    /// A view of a datagram; nil when it is shorter than the header.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length else { return nil }
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
    /// Length of header and payload in bytes, as the header says.
    @inlinable @inline(__always)
    public var datagramLength: Int {
        get { Int(bytes.load(Field.length, as: UInt16.self)) }
        nonmutating set { bytes.store(UInt16(truncatingIfNeeded: newValue), Field.length) }
    }
    /// Whether the sender sent a checksum; zero means it did not (RFC 768).
    @inlinable @inline(__always)
    public var hasChecksum: Bool { bytes.loadRaw(Field.checksum, as: UInt16.self) != 0 }
    /// What follows the header.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.dropping(Self.length) }

    /// A checksum that came out as zero is sent as all ones, which is the same sum (RFC 768).
    @inlinable @inline(__always)
    public func normalizeChecksum() {
        if !hasChecksum { bytes.store(UInt16(0xffff), Field.checksum) }
    }
}
