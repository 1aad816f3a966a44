/// SCTP chunk types (RFC 9260 §3.2).
public enum SCTPChunk {
    /// Payload data.
    @inlinable public static var data: UInt8 { 0 }
    /// Initiation.
    @inlinable public static var initiation: UInt8 { 1 }
    /// Initiation acknowledgement.
    @inlinable public static var initiationAcknowledgement: UInt8 { 2 }
    /// Selective acknowledgement.
    @inlinable public static var selectiveAcknowledgement: UInt8 { 3 }
    /// Heartbeat request.
    @inlinable public static var heartbeat: UInt8 { 4 }
    /// Heartbeat acknowledgement.
    @inlinable public static var heartbeatAcknowledgement: UInt8 { 5 }
    /// Abort.
    @inlinable public static var abort: UInt8 { 6 }
    /// Shutdown.
    @inlinable public static var shutdown: UInt8 { 7 }
    /// Shutdown acknowledgement.
    @inlinable public static var shutdownAcknowledgement: UInt8 { 8 }
    /// Operation error.
    @inlinable public static var error: UInt8 { 9 }
    /// State cookie.
    @inlinable public static var cookieEcho: UInt8 { 10 }
    /// Cookie acknowledgement.
    @inlinable public static var cookieAcknowledgement: UInt8 { 11 }
    /// Explicit congestion notification echo.
    @inlinable public static var congestionEcho: UInt8 { 12 }
    /// Congestion window reduced.
    @inlinable public static var congestionWindowReduced: UInt8 { 13 }
    /// Shutdown complete.
    @inlinable public static var shutdownComplete: UInt8 { 14 }
}

/// An SCTP common header (RFC 9260 §3.1): ports (0, 2), verification tag (4), checksum (8, CRC32c, least significant byte
/// first); 12 bytes. Then chunks: type (0), flags (1), length (2).
///
/// The checksum covers the whole packet and no pseudo-header; setters leave it alone: call `fillChecksum` when done.
public struct SCTPHeader {
    /// Header length in bytes.
    @inlinable public static var length: Int { 12 }
    /// Length of the header of a chunk in bytes.
    @inlinable public static var chunkHeaderLength: Int { 4 }
    /// Offset of the checksum.
    @inlinable public static var checksumOffset: Int { 8 }
    @usableFromInline enum Field {
        @inlinable static var sourcePort: Int { 0 }
        @inlinable static var destinationPort: Int { 2 }
        @inlinable static var verificationTag: Int { 4 }
        @inlinable static var checksum: Int { 8 }
        @inlinable static var chunkType: Int { 12 }
    }

    /// The packet from the first byte of the header to its last, no padding.
    public let bytes: PacketBytes

    /// A view of a packet; nil when it is shorter than the header.
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
    /// Verification tag.
    @inlinable @inline(__always)
    public var verificationTag: UInt32 {
        get { bytes.load(Field.verificationTag) }
        nonmutating set { bytes.store(newValue, Field.verificationTag) }
    }
    /// The checksum, as `CRC32c` gives it.
    @inlinable @inline(__always)
    public var checksum: UInt32 {
        get { (bytes.load(Field.checksum) as UInt32).byteSwapped }
        nonmutating set { bytes.store(newValue.byteSwapped, Field.checksum) }
    }
    /// The `SCTPChunk` type of the first chunk; nil when the header of a chunk does not fit.
    @inlinable @inline(__always)
    public var firstChunkType: UInt8? {
        bytes.count >= Self.length &+ Self.chunkHeaderLength ? bytes[Field.chunkType] : nil
    }
    /// The chunks.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.dropping(Self.length) }

    /// What the checksum should be: CRC32c with the field taken as zero (RFC 9260 §6.8).
    @inlinable
    public func computeChecksum() -> UInt32 {
        var crc = CRC32c()
        crc.update(bytes.prefix(Field.checksum))
        crc.updateZeros(4)
        crc.update(payload)
        return crc.value
    }

    /// Whether the checksum is right.
    @inlinable
    public var hasValidChecksum: Bool { checksum == computeChecksum() }

    /// Compute the checksum anew.
    @inlinable
    public func fillChecksum() { checksum = computeChecksum() }
}
