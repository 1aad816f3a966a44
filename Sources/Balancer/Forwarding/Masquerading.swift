public import Wire

/// NAT (`-m`): the request's destination becomes the real server, the reply's source becomes the virtual service; ports
/// and checksums follow (`ip_vs_xmit.c`, `ip_vs_nat_xmit`; `ip_vs_core.c`, `handle_response`).
public enum Masquerading {
    /// Rewrite a client's packet for its real server.
    @inlinable @inline(__always)
    public static func rewriteRequest(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry, _ state: ChecksumState
    ) {
        let difference =
            packet.isV4
            ? IPv4Header(unchecked: bytes.dropping(packet.networkOffset)).setDestination(entry.destination)
            : IPv6Header(unchecked: bytes.dropping(packet.networkOffset)).setDestination(entry.destination)
        rewritePort(
            transport(bytes, packet), packet.transportProtocol, at: 2, to: entry.destinationPort, addresses: difference,
            state, source: packet.key.source, destination: entry.destination)
    }

    /// Rewrite a server's packet for its client.
    @inlinable @inline(__always)
    public static func rewriteReply(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry, _ state: ChecksumState
    ) {
        let difference =
            packet.isV4
            ? IPv4Header(unchecked: bytes.dropping(packet.networkOffset)).setSource(entry.virtual)
            : IPv6Header(unchecked: bytes.dropping(packet.networkOffset)).setSource(entry.virtual)
        rewritePort(
            transport(bytes, packet), packet.transportProtocol, at: 0, to: entry.virtualPort, addresses: difference,
            state, source: entry.virtual, destination: packet.key.destination)
    }

    /// Rewrite a plain packet, its TTL included: of a client for its real server, else of a server for its client.
    @inlinable @inline(__always)
    public static func forward(
        _ frame: PacketBytes, _ packet: PlainPacket, _ entry: ConnectionEntry, _ state: ChecksumState, isRequest: Bool
    ) {
        let addresses = IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).forward(
            settingAddress: isRequest ? entry.plainDestination : entry.plainVirtual, isSource: !isRequest)
        setPort(
            frame.dropping(PlainPacket.transportOffset), entry, state, isTCP: packet.isTCP, isRequest: isRequest,
            addresses: addresses)
    }

    /// Likewise a plain packet of IPv6.
    @inlinable @inline(__always)
    public static func forward(
        _ frame: PacketBytes, _ packet: WidePlainPacket, _ entry: ConnectionEntry, _ state: ChecksumState,
        isRequest: Bool
    ) {
        let header = IPv6Header(unchecked: frame.dropping(EthernetHeader.length))
        header.decrementHopLimit()
        let addresses =
            isRequest ? header.setDestination(entry.wideDestination) : header.setSource(entry.wideVirtual)
        setPort(
            frame.dropping(WidePlainPacket.transportOffset), entry, state, isTCP: packet.isTCP, isRequest: isRequest,
            addresses: addresses)
    }

    /// Set the port of a plain packet that its method changes, and bring its checksum up to date.
    @inlinable @inline(__always)
    static func setPort(
        _ transport: PacketBytes, _ entry: ConnectionEntry, _ state: ChecksumState, isTCP: Bool, isRequest: Bool,
        addresses: UInt64
    ) {
        let offset = isRequest ? 2 : 0
        let port = isRequest ? entry.destinationPort : entry.virtualPort
        let old: UInt16 = transport.load(offset)
        transport.store(port, offset)
        TransportChecksum.adjust(
            transport, at: isTCP ? TCPHeader.checksumOffset : UDPHeader.checksumOffset, state: state,
            addresses: addresses, fields: Checksum.difference(from: old, to: port))
        if !isTCP, state == .complete { UDPHeader(unchecked: transport).normalizeChecksum() }
    }

    /// Transport header and payload.
    @inlinable @inline(__always)
    static func transport(_ bytes: PacketBytes, _ packet: PacketDescription) -> PacketBytes {
        bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.transportOffset)
    }

    /// Set the port at `offset` of a transport header, which its payload follows, and bring its checksum up to date.
    ///
    /// TCP and UDP checksums are adjusted, so a wrong one stays wrong by as much. A UDP checksum of 0 becomes a full one,
    /// and SCTP's CRC is computed anew where the port changes: both as the kernel does.
    @inlinable @inline(__always)
    static func rewritePort(
        _ transport: PacketBytes, _ transportProtocol: UInt8, at offset: Int, to port: UInt16, addresses: UInt64,
        _ state: ChecksumState, source: IPAddress, destination: IPAddress
    ) {
        let old: UInt16 = transport.load(offset)
        switch transportProtocol {
        case IPProtocol.tcp:
            transport.store(port, offset)
            TransportChecksum.adjust(
                transport, at: TCPHeader.checksumOffset, state: state, addresses: addresses,
                fields: Checksum.difference(from: old, to: port))
        case IPProtocol.udp:
            transport.store(port, offset)
            let header = UDPHeader(unchecked: transport)
            if state == .partial {
                TransportChecksum.adjust(
                    transport, at: UDPHeader.checksumOffset, state: state, addresses: addresses, fields: 0)
            } else if header.hasChecksum {
                TransportChecksum.adjust(
                    transport, at: UDPHeader.checksumOffset, state: state, addresses: addresses,
                    fields: Checksum.difference(from: old, to: port))
                header.normalizeChecksum()
            } else {
                TransportChecksum.fill(
                    transport, at: UDPHeader.checksumOffset, source: source, destination: destination,
                    transportProtocol: IPProtocol.udp)
            }
        case IPProtocol.sctp:
            guard old != port else { return }
            transport.store(port, offset)
            SCTPHeader(unchecked: transport).fillChecksum()
        default:
            return
        }
    }
}
