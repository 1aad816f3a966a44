public import Wire

/// ICMP errors about NAT connections: their outer address and the quoted packet's are translated together
/// (`ip_vs_core.c`, `ip_vs_nat_icmp`).
public enum ICMPTranslation {
    /// Translate an error from the client's side for the real server: it quotes a packet virtual -> client.
    @inlinable
    public static func rewriteRequest(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        rewrite(
            bytes, packet, quoted, outer: entry.destination, isOuterSource: false, inner: entry.destination,
            port: entry.destinationPort, isInnerSource: true)
    }

    /// Translate an error from the servers' side for the client: it quotes a packet client -> destination.
    @inlinable
    public static func rewriteReply(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        rewrite(
            bytes, packet, quoted, outer: entry.virtual, isOuterSource: true, inner: entry.virtual,
            port: entry.virtualPort, isInnerSource: false)
    }

    /// The quoted transport checksum is left as it is, as in the kernel: what is quoted is rarely whole.
    @inlinable
    static func rewrite(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, outer: IPAddress,
        isOuterSource: Bool, inner: IPAddress, port: UInt16, isInnerSource: Bool
    ) {
        let network = bytes.dropping(packet.networkOffset)
        let inside = bytes.dropping(quoted.networkOffset)
        bytes.store(port, quoted.transportOffset &+ (isInnerSource ? 0 : 2))
        let message = bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.transportOffset)
        if packet.isV4 {
            let header = IPv4Header(unchecked: network)
            if isOuterSource { header.setSource(outer) } else { header.setDestination(outer) }
            let quotedHeader = IPv4Header(unchecked: inside)
            if isInnerSource { quotedHeader.setSource(inner) } else { quotedHeader.setDestination(inner) }
            quotedHeader.fillChecksum()
            ICMPHeader(unchecked: message).fillChecksum()
        } else {
            let header = IPv6Header(unchecked: network)
            if isOuterSource { header.setSource(outer) } else { header.setDestination(outer) }
            let quotedHeader = IPv6Header(unchecked: inside)
            if isInnerSource { quotedHeader.setSource(inner) } else { quotedHeader.setDestination(inner) }
            ICMPv6Header(unchecked: message).fillChecksum(source: header.source, destination: header.destination)
        }
    }
}
