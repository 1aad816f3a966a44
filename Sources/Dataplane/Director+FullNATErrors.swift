import Balancer
import Wire

/// ICMP errors about FULLNAT connections (`Balancer/Forwarding/FullNATErrors.swift`).
extension Director {
    /// Send an error on: one from the client's side (`request`) to the real server, from the local address; one from the
    /// servers' side to the client, from the virtual address.
    mutating func errorFullNAT(
        _ frame: inout Frame, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry,
        _ direction: FlowDirection
    ) {
        note(.entry(entry, direction))
        let isRequest = direction == .request
        guard hasValidChecksum(frame, packet) else { return drop(.badICMP) }
        let route = isRequest ? routeToServer(entry) : routing.route(to: entry.client)
        guard route.isUsable else { return drop(.noRoute) }
        guard packet.timeToLive > 1 else { return drop(.timeToLive) }
        decrementTimeToLive(frame, packet)
        if isRequest { countIn(entry, packet) } else { countOut(entry, length: packet.networkLength) }
        if entry.translatesFamily { return translateError(frame, packet, quoted, entry, route, isRequest: isRequest) }
        guard var hop = hop(route, frame, packet, nil) else { return drop(.neighborQueueFull) }
        if isRequest {
            FullNATErrors.rewriteRequest(frame.bytes, packet, quoted, entry)
        } else {
            FullNATErrors.rewriteReply(frame.bytes, packet, quoted, entry)
        }
        transmit(&frame, packet, &hop, mtu: mtu(route))
    }

    /// NAT64: the error is written anew in the other family.
    private mutating func translateError(
        _ frame: Frame, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry,
        _ route: RouteResult, isRequest: Bool
    ) {
        guard var made = outbox.make(EthernetHeader.length &+ ICMPError.largest(isV4: isRequest)) else {
            return drop(.noBuffer)
        }
        EthernetHeader(unchecked: made.writable).type = isRequest ? EtherType.ipv4 : EtherType.ipv6
        let output = made.writable.dropping(EthernetHeader.length)
        let length =
            isRequest
            ? FullNATErrors.translateRequest(
                to: output, frame.bytes, packet, quoted, entry, identification: nextIdentification())
            : FullNATErrors.translateReply(to: output, frame.bytes, packet, quoted, entry)
        guard let length else { return drop(.badICMP) }
        made.length = EthernetHeader.length &+ length
        made.interface = route.interface
        counters.countMade()
        counters.count(.forward, framesAtHand)
        note(.sent(interface: route.interface, length: made.length))
        transmitMade(made, route)
    }
}
