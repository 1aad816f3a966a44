/// An IPv4 header (RFC 791 §3.1), options included: version and length (0), ToS (1), total length (2), id (4), flags
/// and fragment offset (6), TTL (8), protocol (9), checksum (10), source (12), destination (16), options (20).
public struct IPv4Header {
    /// Length without options, in bytes.
    @inlinable public static var minimumLength: Int { 20 }
    /// The don't-fragment bit of the fragment word.
    @inlinable public static var dontFragment: UInt16 { 0x4000 }
    /// The more-fragments bit of the fragment word.
    @inlinable public static var moreFragments: UInt16 { 0x2000 }
    /// The offset bits of the fragment word, in units of eight bytes.
    @inlinable public static var offsetMask: UInt16 { 0x1fff }

    @usableFromInline enum Field {
        @inlinable static var versionAndLength: Int { 0 }
        @inlinable static var typeOfService: Int { 1 }
        @inlinable static var totalLength: Int { 2 }
        @inlinable static var identification: Int { 4 }
        @inlinable static var fragment: Int { 6 }
        @inlinable static var timeToLive: Int { 8 }
        @inlinable static var transportProtocol: Int { 9 }
        @inlinable static var checksum: Int { 10 }
        @inlinable static var source: Int { 12 }
        @inlinable static var destination: Int { 16 }
    }

    /// The packet from the first byte of the header.
    public let bytes: PacketBytes

    /// A view of a packet; nil unless version, header length and total length fit each other and the bytes.
    /// Bytes beyond the total length (Ethernet padding) may follow.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.minimumLength else { return nil }
        let first = bytes[Field.versionAndLength]
        let header = Int(first & 0xf) &* 4
        let total = Int(bytes.load(Field.totalLength, as: UInt16.self))
        guard first >> 4 == 4, header >= Self.minimumLength, header <= total, total <= bytes.count else { return nil }
        self.bytes = bytes
    }

    /// A view of the packet that an ICMP error quotes: its header is there in full, its payload may be cut off.
    @inlinable @inline(__always)
    public init?(quoted bytes: PacketBytes) {
        guard bytes.count >= Self.minimumLength else { return nil }
        let first = bytes[Field.versionAndLength]
        let header = Int(first & 0xf) &* 4
        let total = Int(bytes.load(Field.totalLength, as: UInt16.self))
        guard first >> 4 == 4, header >= Self.minimumLength, header <= total, header <= bytes.count else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// Header length in bytes, options included.
    @inlinable @inline(__always)
    public var headerLength: Int { Int(bytes[Field.versionAndLength] & 0xf) &* 4 }
    /// Length of header and payload in bytes.
    @inlinable @inline(__always)
    public var totalLength: Int { Int(bytes.load(Field.totalLength, as: UInt16.self)) }
    /// Type of service: DSCP and ECN (RFC 2474, RFC 3168).
    @inlinable @inline(__always)
    public var typeOfService: UInt8 { bytes[Field.typeOfService] }
    /// Identification.
    @inlinable @inline(__always)
    public var identification: UInt16 { bytes.load(Field.identification) }
    /// Flags and fragment offset.
    @inlinable @inline(__always)
    public var fragmentWord: UInt16 { bytes.load(Field.fragment) }
    /// Whether the packet may not be fragmented.
    @inlinable @inline(__always)
    public var doesNotFragment: Bool { fragmentWord & Self.dontFragment != 0 }
    /// Whether this is a fragment (of any position).
    @inlinable @inline(__always)
    public var isFragment: Bool { fragmentWord & (Self.moreFragments | Self.offsetMask) != 0 }
    /// Byte offset of this fragment's payload.
    @inlinable @inline(__always)
    public var fragmentOffset: Int { Int(fragmentWord & Self.offsetMask) &* 8 }
    /// Time to live.
    @inlinable @inline(__always)
    public var timeToLive: UInt8 { bytes[Field.timeToLive] }
    /// An `IPProtocol`.
    @inlinable @inline(__always)
    public var transportProtocol: UInt8 { bytes[Field.transportProtocol] }
    /// Source address.
    @inlinable @inline(__always)
    public var source: IPAddress { IPAddress(v4: bytes, at: Field.source) }
    /// Destination address.
    @inlinable @inline(__always)
    public var destination: IPAddress { IPAddress(v4: bytes, at: Field.destination) }
    /// The header's bytes, options included.
    @inlinable @inline(__always)
    public var header: PacketBytes { bytes.prefix(headerLength) }
    /// What follows the header, up to the total length.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.prefix(totalLength).dropping(headerLength) }
    /// Whether the header checksum is right.
    @inlinable @inline(__always)
    public var hasValidChecksum: Bool { Checksum.checksum(header) == 0 }

    /// As `hasValidChecksum`, of a header that is known to have no options.
    @inlinable @inline(__always)
    public var hasValidPlainChecksum: Bool {
        let words = Checksum.add(bytes.loadRaw(0, as: UInt64.self), bytes.loadRaw(8, as: UInt64.self))
        return Checksum.fold(Checksum.add(words, UInt64(bytes.loadRaw(16, as: UInt32.self)))) == 0xffff
    }

    /// Compute the header checksum anew.
    @inlinable
    public func fillChecksum() {
        bytes.store(UInt16(0), Field.checksum)
        bytes.storeRaw(Checksum.checksum(header), Field.checksum)
    }

    @inlinable @inline(__always)
    func adjustChecksum(_ difference: UInt64) {
        bytes.storeRaw(Checksum.adjust(bytes.loadRaw(Field.checksum), by: difference), Field.checksum)
    }

    /// Take one off the TTL and adjust the checksum. The TTL must not be zero.
    @inlinable @inline(__always)
    public func decrementTimeToLive() {
        let old: UInt16 = bytes.load(Field.timeToLive)
        bytes.store(old &- 0x0100, Field.timeToLive)
        adjustChecksum(Checksum.difference(from: old, to: old &- 0x0100))
    }

    /// Set a 16-bit word of the header at `offset` and adjust the checksum.
    @inlinable @inline(__always)
    public func setWord(_ value: UInt16, at offset: Int) {
        let old: UInt16 = bytes.load(offset)
        bytes.store(value, offset)
        adjustChecksum(Checksum.difference(from: old, to: value))
    }

    /// Set the total length in bytes and adjust the checksum.
    @inlinable @inline(__always)
    public func setTotalLength(_ length: Int) { setWord(UInt16(truncatingIfNeeded: length), at: Field.totalLength) }
    /// Set the identification and adjust the checksum.
    @inlinable @inline(__always)
    public func setIdentification(_ value: UInt16) { setWord(value, at: Field.identification) }
    /// Set flags and fragment offset and adjust the checksum.
    @inlinable @inline(__always)
    public func setFragmentWord(_ value: UInt16) { setWord(value, at: Field.fragment) }

    /// Set the source and adjust the header checksum.
    /// - Returns: the difference, for the transport checksum.
    @inlinable @inline(__always) @discardableResult
    public func setSource(_ address: IPAddress) -> UInt64 { setAddress(address, Field.source) }

    /// Set the destination and adjust the header checksum.
    /// - Returns: the difference, for the transport checksum.
    @inlinable @inline(__always) @discardableResult
    public func setDestination(_ address: IPAddress) -> UInt64 { setAddress(address, Field.destination) }

    @inlinable @inline(__always)
    func setAddress(_ address: IPAddress, _ offset: Int) -> UInt64 {
        let difference = replaceAddress(address.v4, offset)
        adjustChecksum(difference)
        return difference
    }

    @inlinable @inline(__always)
    func replaceAddress(_ address: UInt32, _ offset: Int) -> UInt64 {
        let old = UInt64(bytes.loadRaw(offset, as: UInt32.self))
        bytes.store(address, offset)
        return Checksum.difference(from: old, to: UInt64(address.bigEndian))
    }

    /// `decrementTimeToLive` and `setDestination`, or with `isSource` `setSource`, at once; `address` is in host order.
    /// - Returns: the difference of the addresses, for the transport checksum.
    @inlinable @inline(__always)
    public func forward(settingAddress address: UInt32, isSource: Bool) -> UInt64 {
        let old: UInt16 = bytes.load(Field.timeToLive)
        bytes.store(old &- 0x0100, Field.timeToLive)
        let difference = replaceAddress(address, isSource ? Field.source : Field.destination)
        adjustChecksum(Checksum.add(Checksum.difference(from: old, to: old &- 0x0100), difference))
        return difference
    }

    /// `decrementTimeToLive`, `setSource` and `setDestination` at once: the source lies in the upper half of `addresses`, in
    /// host order.
    /// - Returns: the difference of the addresses, for the transport checksum.
    @inlinable @inline(__always)
    public func forward(settingAddresses addresses: UInt64) -> UInt64 {
        let old: UInt16 = bytes.load(Field.timeToLive)
        bytes.store(old &- 0x0100, Field.timeToLive)
        let before = bytes.loadRaw(Field.source, as: UInt64.self)
        bytes.store(addresses, Field.source)
        let difference = Checksum.difference(from: before, to: addresses.bigEndian)
        adjustChecksum(Checksum.add(Checksum.difference(from: old, to: old &- 0x0100), difference))
        return difference
    }

    /// Write a header of 20 bytes without options, its checksum included.
    @inlinable
    public func emit(
        typeOfService: UInt8, totalLength: Int, identification: UInt16, fragmentWord: UInt16, timeToLive: UInt8,
        transportProtocol: UInt8, source: IPAddress, destination: IPAddress
    ) {
        bytes[Field.versionAndLength] = 0x45
        bytes[Field.typeOfService] = typeOfService
        bytes.store(UInt16(truncatingIfNeeded: totalLength), Field.totalLength)
        bytes.store(identification, Field.identification)
        bytes.store(fragmentWord, Field.fragment)
        bytes[Field.timeToLive] = timeToLive
        bytes[Field.transportProtocol] = transportProtocol
        bytes.store(source.v4, Field.source)
        bytes.store(destination.v4, Field.destination)
        fillChecksum()
    }
}
