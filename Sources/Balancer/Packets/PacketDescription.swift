public import Wire

/// What a packet is, read once from its headers; nothing parses again.
public struct PacketDescription: Sendable {
    /// Sender, receiver, ports and protocol. Ports are 0 where the packet has none.
    public var key: FlowKey
    /// Offset of the network header: bytes from the first of the frame.
    public var networkOffset: Int
    /// Offset of the transport header: bytes from the first of the frame.
    public var transportOffset: Int
    /// Length of network header and payload in bytes: IPv4's total length, IPv6's payload length plus 40.
    public var networkLength: Int
    /// TCP flags; none for other protocols.
    public var flags: TCPFlags
    /// TTL or hop limit.
    public var timeToLive: UInt8
    /// IPv4's don't-fragment bit; set for IPv6.
    public var doesNotFragment: Bool
    /// Whether this is a fragment.
    public var isFragment: Bool
    /// Byte offset of a fragment's payload in the whole packet's.
    public var fragmentOffset: Int
    /// Offset of IPv6's fragment header from the first byte of the frame; 0: none.
    public var fragmentHeaderOffset: Int
    /// Whether the header has IPv4 options.
    public var hasOptions: Bool
    /// Whether the transport header is there as far as it must be.
    public var hasTransport: Bool
    /// The firewall mark; 0: none.
    public var mark: UInt32

    /// The family.
    @inlinable @inline(__always)
    public var isV4: Bool { key.source.isV4 }
    /// The IP protocol.
    @inlinable @inline(__always)
    public var transportProtocol: UInt8 { key.transportProtocol }
    /// Bytes from the transport header to the end of the packet.
    @inlinable @inline(__always)
    public var transportLength: Int { networkOffset &+ networkLength &- transportOffset }

    /// All zero.
    @inlinable @inline(__always)
    public init() {
        key = FlowKey(
            source: .anyV4, destination: .anyV4, sourcePort: 0, destinationPort: 0, transportProtocol: 0)
        networkOffset = EthernetHeader.length
        transportOffset = 0
        networkLength = 0
        flags = TCPFlags(rawValue: 0)
        timeToLive = 0
        doesNotFragment = false
        isFragment = false
        fragmentOffset = 0
        fragmentHeaderOffset = 0
        hasOptions = false
        hasTransport = false
        mark = 0
    }
}
