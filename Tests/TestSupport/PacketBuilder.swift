public import Wire

/// Builds frames for tests, byte by byte and without `Wire`, so that the two can be held against each other.
///
/// Everything is right by default, checksums included; `setting` changes one thing and gives a new builder:
/// `PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", .syn).setting(\.timeToLive, 1).frame()`.
public struct PacketBuilder: Sendable {
    /// How a checksum comes out.
    public enum ChecksumChoice: Sendable {
        /// Right.
        case right
        /// One too high.
        case wrong
        /// Zero: none, in UDP.
        case zero
        /// The pseudo-header's sum only, for a device to complete.
        case partial
    }

    /// What an IP packet carries.
    public enum Transport: Sendable {
        /// TCP with its flags.
        case tcp(TCPFlags)
        /// UDP.
        case udp
        /// SCTP; the chunks are the payload.
        case sctp
        /// ICMP or, between IPv6 addresses, ICMPv6: type, code and the four bytes after the checksum.
        case icmp(type: UInt8, code: UInt8, rest: UInt32)
        /// Nothing but the payload, under a protocol number.
        case other(UInt8)
    }

    /// Where the frame comes from; by default the gateway of the recordings' bed.
    public var sourceMAC = MACAddress(bits: 0x0200_0000_01fe)
    /// Where the frame goes; by default the director's `eth0` in the recordings' bed.
    public var destinationMAC = MACAddress(bits: 0x0200_0000_0101)
    /// Source address and port.
    public var source: Endpoint
    /// Destination address and port, of the same family.
    public var destination: Endpoint
    /// What the packet carries.
    public var transport: Transport
    /// What follows the transport header.
    public var payload: [UInt8] = []

    /// TTL or hop limit.
    public var timeToLive: UInt8 = 64
    /// Type of service or traffic class.
    public var typeOfService: UInt8 = 0
    /// Identification, of IPv4 and of IPv6 fragments.
    public var identification: UInt16 = 1
    /// Whether IPv4 may not be fragmented.
    public var doesNotFragment = true
    /// IPv4 options; a multiple of four bytes, at most 40.
    public var options: [UInt8] = []
    /// Flow label of IPv6.
    public var flowLabel: UInt32 = 0
    /// Extension headers of IPv6, each a protocol number and its bytes, in which the first is set to what follows.
    public var extensionHeaders: [(UInt8, [UInt8])] = []

    /// TCP sequence number.
    public var sequence: UInt32 = 1000
    /// TCP acknowledgement number.
    public var acknowledgement: UInt32 = 0
    /// TCP window.
    public var window: UInt16 = 64240
    /// TCP options; a multiple of four bytes, at most 40.
    public var transportOptions: [UInt8] = []
    /// SCTP verification tag.
    public var verificationTag: UInt32 = 0

    /// How the IPv4 header's checksum comes out.
    public var headerChecksum = ChecksumChoice.right
    /// How the transport's checksum comes out.
    public var transportChecksum = ChecksumChoice.right
    /// Ethernet padding behind the packet, in bytes.
    public var padding = 0

    /// Any packet.
    public init(from source: Endpoint, to destination: Endpoint, _ transport: Transport, payload: [UInt8] = []) {
        self.source = source
        self.destination = destination
        self.transport = transport
        self.payload = payload
    }

    /// A TCP segment.
    public static func tcp(
        from source: Endpoint, to destination: Endpoint, _ flags: TCPFlags, payload: [UInt8] = []
    ) -> PacketBuilder {
        PacketBuilder(from: source, to: destination, .tcp(flags), payload: payload)
    }

    /// A UDP datagram.
    public static func udp(from source: Endpoint, to destination: Endpoint, payload: [UInt8] = []) -> PacketBuilder {
        PacketBuilder(from: source, to: destination, .udp, payload: payload)
    }

    /// An SCTP packet with one chunk of four bytes and `value`.
    public static func sctp(
        from source: Endpoint, to destination: Endpoint, chunk: UInt8, value: [UInt8] = []
    ) -> PacketBuilder {
        PacketBuilder(
            from: source, to: destination, .sctp,
            payload: [chunk, 0] + UInt16(4 + value.count).networkBytes + value)
    }

    /// An ICMP or ICMPv6 message. For an error, `payload` is the packet that it quotes: see `packet`.
    public static func icmp(
        from source: Endpoint, to destination: Endpoint, type: UInt8, code: UInt8, rest: UInt32 = 0,
        payload: [UInt8] = []
    ) -> PacketBuilder {
        PacketBuilder(from: source, to: destination, .icmp(type: type, code: code, rest: rest), payload: payload)
    }

    /// The same with one thing changed.
    public func setting<Value>(_ property: WritableKeyPath<PacketBuilder, Value>, _ value: Value) -> PacketBuilder {
        var changed = self
        changed[keyPath: property] = value
        return changed
    }

    /// The answer's builder: MACs, addresses and ports exchanged.
    public func reversed() -> PacketBuilder {
        var changed = self
        swap(&changed.source, &changed.destination)
        swap(&changed.sourceMAC, &changed.destinationMAC)
        return changed
    }
}
