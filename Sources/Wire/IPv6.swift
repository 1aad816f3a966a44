/// An IPv6 header (RFC 8200 §3): version, traffic class and flow label (0), payload length (4), next header (6), hop
/// limit (7), source (8), destination (24); 40 bytes.
public struct IPv6Header {
    /// Header length in bytes, without extension headers.
    @inlinable public static var length: Int { 40 }
    @usableFromInline enum Field {
        @inlinable static var versionClassFlow: Int { 0 }
        @inlinable static var payloadLength: Int { 4 }
        @inlinable static var nextHeader: Int { 6 }
        @inlinable static var hopLimit: Int { 7 }
        @inlinable static var source: Int { 8 }
        @inlinable static var destination: Int { 24 }
    }

    /// The packet from the first byte of the header.
    public let bytes: PacketBytes

    /// A view of a packet; nil unless the version is 6 and the payload is there in full. Bytes beyond it (Ethernet
    /// padding) may follow. A jumbogram (RFC 2675, payload length zero) has no payload here.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length, bytes[Field.versionClassFlow] >> 4 == 6,
            Self.length &+ Int(bytes.load(Field.payloadLength, as: UInt16.self)) <= bytes.count
        else { return nil }
        self.bytes = bytes
    }

    /// A view of the packet that an ICMPv6 error quotes: its header is there in full, its payload may be cut off.
    @inlinable @inline(__always)
    public init?(quoted bytes: PacketBytes) {
        guard bytes.count >= Self.length, bytes[Field.versionClassFlow] >> 4 == 6 else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// Traffic class: DSCP and ECN (RFC 2474, RFC 3168).
    @inlinable @inline(__always)
    public var trafficClass: UInt8 {
        get { UInt8(truncatingIfNeeded: bytes.load(Field.versionClassFlow, as: UInt16.self) >> 4) }
        nonmutating set {
            let word: UInt16 = bytes.load(Field.versionClassFlow)
            bytes.store(word & 0xf00f | UInt16(newValue) << 4, Field.versionClassFlow)
        }
    }
    /// Flow label, 20 bits (RFC 6437).
    @inlinable @inline(__always)
    public var flowLabel: UInt32 {
        get { bytes.load(Field.versionClassFlow, as: UInt32.self) & 0xf_ffff }
        nonmutating set {
            let word: UInt32 = bytes.load(Field.versionClassFlow)
            bytes.store(word & 0xfff0_0000 | newValue & 0xf_ffff, Field.versionClassFlow)
        }
    }
    /// Bytes that follow the header, as it says.
    @inlinable @inline(__always)
    public var payloadLength: Int {
        get { Int(bytes.load(Field.payloadLength, as: UInt16.self)) }
        nonmutating set { bytes.store(UInt16(truncatingIfNeeded: newValue), Field.payloadLength) }
    }
    /// Length of header and payload in bytes.
    @inlinable @inline(__always)
    public var totalLength: Int { Self.length &+ payloadLength }
    /// What follows the header: an `IPProtocol`, extension headers among them.
    @inlinable @inline(__always)
    public var nextHeader: UInt8 {
        get { bytes[Field.nextHeader] }
        nonmutating set { bytes[Field.nextHeader] = newValue }
    }
    /// Hop limit.
    @inlinable @inline(__always)
    public var hopLimit: UInt8 {
        get { bytes[Field.hopLimit] }
        nonmutating set { bytes[Field.hopLimit] = newValue }
    }
    /// Source address.
    @inlinable @inline(__always)
    public var source: IPAddress { IPAddress(v6: bytes, at: Field.source) }
    /// Destination address.
    @inlinable @inline(__always)
    public var destination: IPAddress { IPAddress(v6: bytes, at: Field.destination) }
    /// Whether an address is in the IPv4-mapped form, which stands for an IPv4 address in `IPAddress` and may not be on
    /// the wire. Such a packet must be dropped before its addresses are used (`net/ipv6/ip6_input.c` drops it too).
    @inlinable @inline(__always)
    public var carriesMappedAddress: Bool { source.isV4 || destination.isV4 }
    /// What follows the header, extension headers included, up to the payload length.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.prefix(totalLength).dropping(Self.length) }

    /// Take one off the hop limit, which must not be zero.
    @inlinable @inline(__always)
    public func decrementHopLimit() { bytes[Field.hopLimit] = bytes[Field.hopLimit] &- 1 }

    /// Set the source.
    /// - Returns: the difference, for the transport checksum.
    @inlinable @inline(__always) @discardableResult
    public func setSource(_ address: IPAddress) -> UInt64 { setAddress(address, Field.source) }

    /// Set the destination.
    /// - Returns: the difference, for the transport checksum.
    @inlinable @inline(__always) @discardableResult
    public func setDestination(_ address: IPAddress) -> UInt64 { setAddress(address, Field.destination) }

    @inlinable @inline(__always)
    func setAddress(_ address: IPAddress, _ offset: Int) -> UInt64 {
        let old = Checksum.add(bytes.loadRaw(offset), bytes.loadRaw(offset &+ 8))
        bytes.store(address.high, offset)
        bytes.store(address.low, offset &+ 8)
        return Checksum.difference(from: old, to: Checksum.add(address.high.bigEndian, address.low.bigEndian))
    }

    /// Write a header.
    @inlinable
    public func emit(
        trafficClass: UInt8, flowLabel: UInt32, payloadLength: Int, nextHeader: UInt8, hopLimit: UInt8,
        source: IPAddress, destination: IPAddress
    ) {
        bytes.store(6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xf_ffff, Field.versionClassFlow)
        self.payloadLength = payloadLength
        self.nextHeader = nextHeader
        self.hopLimit = hopLimit
        bytes.store(source.high, Field.source)
        bytes.store(source.low, Field.source &+ 8)
        bytes.store(destination.high, Field.destination)
        bytes.store(destination.low, Field.destination &+ 8)
    }
}
