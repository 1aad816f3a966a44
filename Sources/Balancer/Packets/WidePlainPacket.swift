public import Wire

/// A packet such as most of IPv6 are, as `PlainPacket`: no extension headers, UDP with a checksum or a TCP segment that
/// neither opens nor ends a connection, with everything in order that a host checks on receipt.
public struct WidePlainPacket: BitwiseCopyable {
    /// The sender's address.
    public let source: IPAddress
    /// The receiver's address.
    public let destination: IPAddress
    /// The sender's port above, the receiver's below.
    public let ports: UInt32
    /// Length of header and payload in bytes.
    public let length: Int
    /// Whether it is TCP; else it is UDP.
    public let isTCP: Bool

    /// Bytes from the frame's first to the transport header.
    @inlinable @inline(__always)
    public static var transportOffset: Int { EthernetHeader.length &+ IPv6Header.length }
    /// An `IPProtocol`.
    @inlinable @inline(__always)
    public var transportProtocol: UInt8 { isTCP ? IPProtocol.tcp : IPProtocol.udp }
    /// Bytes from the transport header to its checksum.
    @inlinable @inline(__always)
    public var checksumOffset: Int { isTCP ? TCPHeader.checksumOffset : UDPHeader.checksumOffset }

    /// Read the packet of a frame of which `Classify.plainV6` made a key; nil: it is not such a one, and is to be read by
    /// `Classify`, which knows why.
    @inlinable @inline(__always)
    public init?(plainV6 frame: PacketBytes) {
        let header = IPv6Header(unchecked: frame.dropping(EthernetHeader.length))
        isTCP = header.nextHeader == IPProtocol.tcp
        guard isTCP || header.nextHeader == IPProtocol.udp, frame[EthernetHeader.length] >> 4 == 6 else { return nil }
        length = header.totalLength
        guard length >= IPv6Header.length &+ (isTCP ? TCPHeader.minimumLength : UDPHeader.length),
            length <= frame.count &- EthernetHeader.length
        else { return nil }
        source = header.source
        destination = header.destination
        ports = frame.load(Self.transportOffset)
        // Of FIN, SYN, RST and ACK the last alone: flags lie in byte 13 (RFC 9293 §3.1).
        let isOrdinary =
            isTCP
            ? frame[Self.transportOffset &+ 13] & 0x17 == 0x10
            : UDPHeader(unchecked: frame.dropping(Self.transportOffset)).hasChecksum
        // ::1, groups, and the mapped form, which is no address of the wire.
        guard isOrdinary, header.hopLimit > 1, source.high | source.low >> 32 != 0, !source.isV4, !destination.isV4,
            source.high >> 56 != 0xff, destination.high >> 56 != 0xff
        else { return nil }
    }
}
