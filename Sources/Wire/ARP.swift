/// ARP operations (RFC 826).
public enum ARPOperation {
    /// Who has the target address?
    @inlinable public static var request: UInt16 { 1 }
    /// The sender has the sender address.
    @inlinable public static var reply: UInt16 { 2 }
}

/// An ARP packet for IPv4 over Ethernet (RFC 826): hardware type (0), protocol type (2), address lengths (4, 5),
/// operation (6), the sender's MAC (8) and address (14), the target's MAC (18) and address (24); 28 bytes.
public struct ARPPacket {
    /// Packet length in bytes.
    @inlinable public static var length: Int { 28 }
    @usableFromInline enum Field {
        @inlinable static var hardwareType: Int { 0 }
        @inlinable static var protocolType: Int { 2 }
        @inlinable static var addressLengths: Int { 4 }
        @inlinable static var operation: Int { 6 }
        @inlinable static var senderMAC: Int { 8 }
        @inlinable static var senderAddress: Int { 14 }
        @inlinable static var targetMAC: Int { 18 }
        @inlinable static var targetAddress: Int { 24 }
    }
    /// Hardware type Ethernet.
    @inlinable static var ethernet: UInt16 { 1 }
    /// Six bytes of MAC, four of address.
    @inlinable static var addressLengths: UInt16 { 0x0604 }

    /// The packet; Ethernet padding may follow.
    public let bytes: PacketBytes

    /// A view of a packet; nil unless it is long enough and speaks of IPv4 over Ethernet.
    @inlinable @inline(__always)
    public init?(_ bytes: PacketBytes) {
        guard bytes.count >= Self.length, bytes.load(Field.hardwareType) == Self.ethernet,
            bytes.load(Field.protocolType) == EtherType.ipv4,
            bytes.load(Field.addressLengths) == Self.addressLengths
        else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the packet.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// An `ARPOperation`.
    @inlinable @inline(__always)
    public var operation: UInt16 {
        get { bytes.load(Field.operation) }
        nonmutating set { bytes.store(newValue, Field.operation) }
    }
    /// The sender's MAC.
    @inlinable @inline(__always)
    public var senderMAC: MACAddress {
        get { MACAddress(bytes, at: Field.senderMAC) }
        nonmutating set { newValue.write(to: bytes, at: Field.senderMAC) }
    }
    /// The sender's IPv4 address; 0.0.0.0 in a probe (RFC 5227).
    @inlinable @inline(__always)
    public var senderAddress: IPAddress {
        get { IPAddress(v4: bytes, at: Field.senderAddress) }
        nonmutating set { bytes.store(newValue.v4, Field.senderAddress) }
    }
    /// The target's MAC; meaningless in a request.
    @inlinable @inline(__always)
    public var targetMAC: MACAddress {
        get { MACAddress(bytes, at: Field.targetMAC) }
        nonmutating set { newValue.write(to: bytes, at: Field.targetMAC) }
    }
    /// The target's IPv4 address.
    @inlinable @inline(__always)
    public var targetAddress: IPAddress {
        get { IPAddress(v4: bytes, at: Field.targetAddress) }
        nonmutating set { bytes.store(newValue.v4, Field.targetAddress) }
    }

    /// Write a whole packet.
    @inlinable
    public func emit(
        operation: UInt16, senderMAC: MACAddress, senderAddress: IPAddress, targetMAC: MACAddress,
        targetAddress: IPAddress
    ) {
        bytes.store(Self.ethernet, Field.hardwareType)
        bytes.store(EtherType.ipv4, Field.protocolType)
        bytes.store(Self.addressLengths, Field.addressLengths)
        self.operation = operation
        self.senderMAC = senderMAC
        self.senderAddress = senderAddress
        self.targetMAC = targetMAC
        self.targetAddress = targetAddress
    }
}
