/// EtherType values (IEEE 802, IANA).
public enum EtherType {
    /// IPv4.
    @inlinable public static var ipv4: UInt16 { 0x0800 }
    /// ARP.
    @inlinable public static var arp: UInt16 { 0x0806 }
    /// IPv6.
    @inlinable public static var ipv6: UInt16 { 0x86dd }
}

/// An Ethernet II header: destination (0), source (6), type (12); 14 bytes, no VLAN tag.
public struct EthernetHeader {
    /// Header length in bytes.
    @inlinable public static var length: Int { 14 }
    @usableFromInline enum Field {
        @inlinable static var destination: Int { 0 }
        @inlinable static var source: Int { 6 }
        @inlinable static var type: Int { 12 }
    }

    /// The frame, header included.
    public let bytes: PacketBytes

    /// A view of a frame; nil when it is shorter than the header.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the header.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// Where the frame goes.
    @inlinable @inline(__always)
    public var destination: MACAddress {
        get { MACAddress(bytes, at: Field.destination) }
        nonmutating set { newValue.write(to: bytes, at: Field.destination) }
    }
    /// Whether it goes to `mac`: as comparing `destination`, by one load.
    @inlinable @inline(__always)
    public func isTo(_ mac: MACAddress) -> Bool { bytes.load(Field.destination, as: UInt64.self) &>> 16 == mac.bits }
    /// Where it comes from.
    @inlinable @inline(__always)
    public var source: MACAddress {
        get { MACAddress(bytes, at: Field.source) }
        nonmutating set { newValue.write(to: bytes, at: Field.source) }
    }
    /// What it carries: an `EtherType`.
    @inlinable @inline(__always)
    public var type: UInt16 {
        get { bytes.load(Field.type) }
        nonmutating set { bytes.store(newValue, Field.type) }
    }
    /// What follows the header.
    @inlinable @inline(__always)
    public var payload: PacketBytes { bytes.dropping(Self.length) }
}
