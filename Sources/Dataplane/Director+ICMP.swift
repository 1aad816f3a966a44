import Balancer
import Wire

/// ICMP errors that belong to connections (`ip_vs_core.c`, `ip_vs_in_icmp`, `ip_vs_out_icmp` and their IPv6 twins).
extension Director {
    /// An ICMP packet to one of our addresses.
    mutating func icmpInput(_ frame: inout Frame, _ packet: PacketDescription) {
        guard packet.hasTransport else { return drop(.truncated) }
        guard isRelatedType(frame, packet) else { return pass(frame) }
        let start = packet.transportOffset &+ ICMPHeader.length
        guard let quoted = QuotedPacket(frame.bytes, at: start, isV4: packet.isV4) else { return pass(frame) }
        if let wrapped = wrapped(frame, packet, quoted) { return tunnelError(frame, packet, quoted, wrapped) }
        guard Transport(quoted.key.transportProtocol) != nil, quoted.hasPorts else { return pass(frame) }
        let key = quoted.key.reversed
        guard let found = table.find(key, hash: table.hash(key)) else {
            guard settings[.scheduleIcmp] != 0 else { return pass(frame) }
            return schedule(&frame, packet, quoted)
        }
        if found.direction == .reply {
            // FULLNAT's servers, and the routers before them, know nobody but us.
            if found.entry.isFullNAT { return icmpReply(&frame, packet, quoted, found.entry) }
            return icmpReplyToUs(frame, packet, found.entry)
        }
        icmpRequest(&frame, packet, quoted, found.entry)
    }

    /// From the servers' side, but sent to one of our addresses instead of the client's: counted, and the host's.
    private mutating func icmpReplyToUs(_ frame: Frame, _ packet: PacketDescription, _ entry: ConnectionEntry) {
        note(.entry(entry, .reply))
        guard hasValidChecksum(frame, packet) else { return drop(.badICMP) }
        countOut(entry, length: packet.networkLength)
        pass(frame)
    }

    /// An ICMP packet through us.
    mutating func icmpTransit(_ frame: inout Frame, _ packet: PacketDescription) {
        guard packet.hasTransport else { return drop(.truncated) }
        guard isRelatedType(frame, packet) else { return pass(frame) }
        let start = packet.transportOffset &+ ICMPHeader.length
        guard let quoted = QuotedPacket(frame.bytes, at: start, isV4: packet.isV4), quoted.hasPorts,
            Transport(quoted.key.transportProtocol) != nil
        else { return pass(frame) }
        let key = quoted.key.reversed
        guard let found = table.find(key, hash: table.hash(key)), found.direction == .reply else { return pass(frame) }
        icmpReply(&frame, packet, quoted, found.entry)
    }

    /// Destination unreachable, source quench, time exceeded; for IPv6 unreachable, too big, time exceeded.
    private func isRelatedType(_ frame: Frame, _ packet: PacketDescription) -> Bool {
        let type = frame.bytes[packet.transportOffset]
        return packet.isV4
            ? type == ICMPType.destinationUnreachable || type == ICMPType.sourceQuench || type == ICMPType.timeExceeded
            : type >= ICMPv6Type.destinationUnreachable && type <= ICMPv6Type.timeExceeded
    }

    func hasValidChecksum(_ frame: Frame, _ packet: PacketDescription) -> Bool {
        let message = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.transportOffset)
        return packet.isV4
            ? ICMPHeader(unchecked: message).hasValidChecksum
            : ICMPv6Header(unchecked: message).hasValidChecksum(
                source: packet.key.source, destination: packet.key.destination)
    }

    /// From the client's side, about what it received: to the real server.
    mutating func icmpRequest(
        _ frame: inout Frame, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        if entry.isFullNAT { return errorFullNAT(&frame, packet, quoted, entry, .request) }
        let isNAT = entry.method == .masquerading
        if isNAT, !hasValidChecksum(frame, packet) { return drop(.badICMP) }
        note(.entry(entry, .request))
        countIn(entry, packet)
        let route = routing.route(to: entry.destination)
        if routing.isLocal(entry.destination) { return pass(frame) }
        guard route.isUsable else { return drop(.noRoute) }
        guard packet.timeToLive > 1 else { return drop(.timeToLive) }
        decrementTimeToLive(frame, packet)
        if entry.method == .tunneling { return encapsulate(&frame, packet, entry, route) }
        guard var hop = hop(route, frame, packet, entry) else { return drop(.neighborQueueFull) }
        if isNAT { ICMPTranslation.rewriteRequest(frame.bytes, packet, quoted, entry) }
        transmit(&frame, packet, &hop, mtu: mtu(route))
    }

    /// From the servers' side, about what a server or a router there received: to the client.
    private mutating func icmpReply(
        _ frame: inout Frame, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        if entry.isFullNAT { return errorFullNAT(&frame, packet, quoted, entry, .reply) }
        note(.entry(entry, .reply))
        guard packet.timeToLive > 1 else { return drop(.timeToLive) }
        guard hasValidChecksum(frame, packet) else { return drop(.badICMP) }
        let route = routing.route(to: entry.client)
        guard route.isUsable else { return drop(.noRoute) }
        if packet.doesNotFragment, longestPiece(frame, packet) > mtu(route) { return drop(.tooBig) }
        decrementTimeToLive(frame, packet)
        guard var hop = hop(route, frame, packet, nil) else { return drop(.neighborQueueFull) }
        ICMPTranslation.rewriteReply(frame.bytes, packet, quoted, entry)
        countOut(entry, length: packet.networkLength)
        transmit(&frame, packet, &hop, mtu: mtu(route))
    }
}
