/// A fragment header of IPv6 (RFC 8200 §4.5): next header (0), reserved (1), offset and flags (2), identification (4);
/// 8 bytes.
public struct IPv6Fragment {
    /// Header length in bytes.
    @inlinable public static var length: Int { 8 }
    /// The more-fragments bit of the fragment word.
    @inlinable public static var moreFragments: UInt16 { 0x0001 }
    /// The offset bits of the fragment word: the offset in bytes, a multiple of eight.
    @inlinable public static var offsetMask: UInt16 { 0xfff8 }
    @usableFromInline enum Field {
        @inlinable static var nextHeader: Int { 0 }
        @inlinable static var reserved: Int { 1 }
        @inlinable static var fragment: Int { 2 }
        @inlinable static var identification: Int { 4 }
    }

    /// The packet from the first byte of the fragment header.
    public let bytes: PacketBytes

    /// A view of a fragment header; nil when there are too few bytes.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// What follows: an `IPProtocol`.
    @inlinable @inline(__always)
    public var nextHeader: UInt8 { bytes[Field.nextHeader] }
    /// Offset and flags.
    @inlinable @inline(__always)
    public var fragmentWord: UInt16 { bytes.load(Field.fragment) }
    /// Byte offset of this fragment's payload.
    @inlinable @inline(__always)
    public var fragmentOffset: Int { Int(fragmentWord & Self.offsetMask) }
    /// Whether fragments follow.
    @inlinable @inline(__always)
    public var hasMoreFragments: Bool { fragmentWord & Self.moreFragments != 0 }
    /// Whether the packet is whole all the same: an atomic fragment (RFC 6946).
    @inlinable @inline(__always)
    public var isAtomic: Bool { fragmentWord & (Self.offsetMask | Self.moreFragments) == 0 }
    /// Identification, the same in all fragments of a packet.
    @inlinable @inline(__always)
    public var identification: UInt32 { bytes.load(Field.identification) }
    /// What follows the header.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.dropping(Self.length) }

    /// Write a header; `fragmentOffset` is in bytes, a multiple of eight.
    @inlinable
    public func emit(nextHeader: UInt8, fragmentOffset: Int, hasMoreFragments: Bool, identification: UInt32) {
        let offset = UInt16(truncatingIfNeeded: fragmentOffset) & Self.offsetMask
        bytes[Field.nextHeader] = nextHeader
        bytes[Field.reserved] = 0
        bytes.store(offset | (hasMoreFragments ? Self.moreFragments : 0), Field.fragment)
        bytes.store(identification, Field.identification)
    }
}

/// Where the transport header of an IPv6 packet lies.
public struct IPv6Transport: Sendable, BitwiseCopyable {
    /// Its `IPProtocol`: never an extension header that was walked over, but `IPProtocol.none` where nothing follows.
    public let transportProtocol: UInt8
    /// Bytes from the first of the IPv6 header; at most the packet's length. In a fragment that is not the first, where
    /// the fragment's payload begins.
    public let offset: Int
    /// Where the fragment header begins, in bytes from the first of the IPv6 header; nil when there is none.
    public let fragmentHeaderOffset: Int?
    /// Whether the first extension header is hop-by-hop options, which routers look at.
    public let startsWithHopByHop: Bool

    /// From its parts.
    @inlinable @inline(__always)
    public init(transportProtocol: UInt8, offset: Int, fragmentHeaderOffset: Int?, startsWithHopByHop: Bool) {
        self.transportProtocol = transportProtocol
        self.offset = offset
        self.fragmentHeaderOffset = fragmentHeaderOffset
        self.startsWithHopByHop = startsWithHopByHop
    }
}

extension IPv6Header {
    /// Extension headers that `findTransport` walks over at most. RFC 8200 §4.1 wants each kind once, destination options
    /// twice: six.
    @inlinable public static var extensionHeaderLimit: Int { 8 }

    /// Offset of the byte that names the header at `transport`, where `findTransport` found it.
    public func offsetOfNextHeader(at transport: Int) -> Int {
        var next = nextHeader
        var named = 6
        var offset = Self.length
        while offset < transport {
            let units = Int(bytes[offset &+ 1])
            named = offset
            switch next {
            case IPProtocol.fragment: offset &+= IPv6Fragment.length
            case IPProtocol.authentication: offset &+= (units &+ 2) &* 4
            default: offset &+= (units &+ 1) &* 8
            }
            next = bytes[named]
        }
        return named
    }

    /// Walk over the extension headers (RFC 8200 §4): hop-by-hop and destination options, routing, fragment and
    /// authentication. As the kernel's `ipv6_find_hdr`, it ends at a fragment that is not the first, for what follows is
    /// no header.
    /// - Returns: nil when a header is cut off or there are more than `extensionHeaderLimit`.
    @inlinable
    public func findTransport() -> IPv6Transport? {
        let packet = bytes.prefix(totalLength)
        let startsWithHopByHop = nextHeader == IPProtocol.hopByHop
        var next = nextHeader
        var offset = Self.length
        var fragmentHeaderOffset: Int?
        var walked = 0
        while true {
            var length = 8
            switch next {
            case IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.destinationOptions:
                guard offset &+ 2 <= packet.count else { return nil }
                length = (Int(packet[offset &+ 1]) &+ 1) &* 8
            case IPProtocol.authentication:
                // RFC 4302 §2.2: in units of four bytes, less two.
                guard offset &+ 2 <= packet.count else { return nil }
                length = (Int(packet[offset &+ 1]) &+ 2) &* 4
            case IPProtocol.fragment:
                fragmentHeaderOffset = offset
            default:
                return IPv6Transport(
                    transportProtocol: next, offset: offset, fragmentHeaderOffset: fragmentHeaderOffset,
                    startsWithHopByHop: startsWithHopByHop)
            }
            walked &+= 1
            guard walked <= Self.extensionHeaderLimit, offset &+ length <= packet.count else { return nil }
            let isFragment = next == IPProtocol.fragment
            next = packet[offset]
            offset &+= length
            if isFragment, packet.load(offset &- 6, as: UInt16.self) & IPv6Fragment.offsetMask != 0 {
                return IPv6Transport(
                    transportProtocol: next, offset: offset, fragmentHeaderOffset: fragmentHeaderOffset,
                    startsWithHopByHop: startsWithHopByHop)
            }
        }
    }
}
