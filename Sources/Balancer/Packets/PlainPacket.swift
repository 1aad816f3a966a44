public import Wire

/// A packet such as most are: IPv4 without options and not a fragment, by UDP with a checksum or a TCP segment that neither
/// opens nor ends a connection, with everything in order that a host checks on receipt. A few words, so that they stay in
/// registers.
public struct PlainPacket: BitwiseCopyable {
    /// The sender's address, in host order.
    public let source: UInt32
    /// The receiver's address, in host order.
    public let destination: UInt32
    /// The sender's port above, the receiver's below.
    public let ports: UInt32
    /// IPv4's total length in bytes.
    public let length: Int
    /// Whether it is TCP; else it is UDP.
    public let isTCP: Bool

    /// Bytes from the frame's first to the transport header.
    @inlinable @inline(__always)
    public static var transportOffset: Int { EthernetHeader.length &+ IPv4Header.minimumLength }
    /// An `IPProtocol`.
    @inlinable @inline(__always)
    public var transportProtocol: UInt8 { isTCP ? IPProtocol.tcp : IPProtocol.udp }
    /// Bytes from the transport header to its checksum.
    @inlinable @inline(__always)
    public var checksumOffset: Int { isTCP ? TCPHeader.checksumOffset : UDPHeader.checksumOffset }

    /// Read the packet of a frame of which `Classify.plainV4` made a key; nil: it is not such a one, and is to be read by
    /// `Classify`, which knows why.
    @inlinable @inline(__always)
    public init?(plainV4 frame: PacketBytes) {
        let header = IPv4Header(unchecked: frame.dropping(EthernetHeader.length))
        isTCP = header.transportProtocol == IPProtocol.tcp
        guard isTCP || header.transportProtocol == IPProtocol.udp else { return nil }
        length = header.totalLength
        guard length >= IPv4Header.minimumLength &+ (isTCP ? TCPHeader.minimumLength : UDPHeader.length),
            length <= frame.count &- EthernetHeader.length
        else { return nil }
        source = header.source.v4
        destination = header.destination.v4
        ports = frame.load(Self.transportOffset)
        // Of FIN, SYN, RST and ACK the last alone: flags lie in byte 13 (RFC 9293 §3.1).
        let isOrdinary =
            isTCP
            ? frame[Self.transportOffset &+ 13] & 0x17 == 0x10
            : UDPHeader(unchecked: frame.dropping(Self.transportOffset)).hasChecksum
        // 0.0.0.0, loopback, groups and beyond: no hosts, or none that need be fast.
        guard isOrdinary, !header.isFragment, header.timeToLive > 1, source >> 24 != 127, source != 0,
            source >> 28 < 0xe, header.hasValidPlainChecksum
        else { return nil }
    }
}
