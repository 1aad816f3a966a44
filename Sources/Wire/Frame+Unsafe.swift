/// What the sender's device would have done later: the virtio-net header that a packet socket hands over with a frame
/// (virtio 1.2 §5.1.6, `linux/virtio_net.h`), 10 bytes on the wire.
public struct OffloadFacts: Hashable, Sendable, BitwiseCopyable {
    /// Kinds of super-frame (`VIRTIO_NET_HDR_GSO_*`).
    public enum Segmentation {
        /// An ordinary frame.
        @inlinable public static var none: UInt8 { 0 }
        /// TCP over IPv4.
        @inlinable public static var tcpv4: UInt8 { 1 }
        /// UDP, by fragmentation (not sent by Linux since 4.14).
        @inlinable public static var udp: UInt8 { 3 }
        /// TCP over IPv6.
        @inlinable public static var tcpv6: UInt8 { 4 }
        /// UDP, by datagram (`VIRTIO_NET_HDR_GSO_UDP_L4`).
        @inlinable public static var udpL4: UInt8 { 5 }
        /// Set in addition when the first segment alone carries CWR (`VIRTIO_NET_HDR_GSO_ECN`).
        @inlinable public static var ecn: UInt8 { 0x80 }
    }

    /// Whether the transport checksum is partial (`VIRTIO_NET_HDR_F_NEEDS_CSUM`).
    public var needsChecksum: Bool
    /// Whether the sender vouches for the checksum (`VIRTIO_NET_HDR_F_DATA_VALID`).
    public var isChecksumValid: Bool
    /// A `Segmentation` kind.
    public var segmentation: UInt8
    /// Payload bytes of each segment of a super-frame.
    public var segmentSize: UInt16
    /// Length of all headers of a super-frame, in bytes from its first.
    public var headerLength: UInt16
    /// Where the checksum starts: bytes from the first of the frame.
    public var checksumStart: UInt16
    /// Where its field lies: bytes from `checksumStart`.
    public var checksumOffset: UInt16

    /// A plain frame with complete checksums.
    @inlinable @inline(__always)
    public init() {
        needsChecksum = false
        isChecksumValid = false
        segmentation = Segmentation.none
        segmentSize = 0
        headerLength = 0
        checksumStart = 0
        checksumOffset = 0
    }

    /// Whether this is a super-frame.
    @inlinable @inline(__always)
    public var isSuperFrame: Bool { segmentation != Segmentation.none }

    /// How the transport checksum stands.
    @inlinable @inline(__always)
    public var checksumState: ChecksumState { needsChecksum ? .partial : .complete }
}

/// One Ethernet frame in a buffer that a port lends: where its bytes are, the room before them, and what is known of it.
///
/// A frame belongs to its batch until it is sent or dropped. One thread at a time.
@safe
public struct Frame {
    /// Bytes kept free before a received frame, for headers to be prepended: an outer IPv6 and GUE header fit.
    @inlinable public static var headroom: Int { 128 }

    @usableFromInline let buffer: UnsafeMutableRawPointer
    /// Size of the buffer in bytes.
    public let capacity: Int
    /// Offset of the frame's first byte in its buffer: the headroom left.
    public var start: Int
    /// Bytes of the frame.
    public var length: Int
    /// The interface it came by, later the one it leaves by: an index into the director's interfaces.
    public var interface: Int
    /// Offload facts.
    public var offload: OffloadFacts

    /// An empty frame in `capacity` bytes at `buffer`, with `Frame.headroom` bytes before it.
    @inlinable @inline(__always)
    public init(buffer: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.buffer = buffer
        self.capacity = capacity
        start = Self.headroom
        length = 0
        interface = 0
        offload = OffloadFacts()
    }

    /// The frame's bytes.
    @inlinable @inline(__always)
    public var bytes: PacketBytes { unsafe PacketBytes(buffer + start, count: length) }

    /// All of the buffer after the headroom that is left: where a frame may be written that is `length` long at most.
    @inlinable @inline(__always)
    public var writable: PacketBytes { unsafe PacketBytes(buffer + start, count: capacity &- start) }

    /// Make room for `count` bytes before the frame. False, and nothing changed, when the headroom is too short.
    @inlinable @inline(__always)
    public mutating func prepend(_ count: Int) -> Bool {
        guard count <= start else { return false }
        start &-= count
        length &+= count
        return true
    }

    /// Take `count` bytes off the front.
    @inlinable @inline(__always)
    public mutating func removeFirst(_ count: Int) {
        assert(count <= length)
        start &+= count
        length &-= count
    }
}
