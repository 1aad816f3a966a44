import Balancer
import Wire

/// A real server's packet to its client: forwarded as a router would, and translated on the way
/// (`net/ipv4/ip_forward.c`; `ip_vs_core.c`, `handle_response`).
extension Director {
    mutating func reply(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        if entry.isFullNAT { return replyFullNAT(&frame, packet, entry, transport) }
        note(.entry(entry, .reply))
        if slots.destination(entry.destinationSlot).isResetting {
            return cutReply(&frame, packet, entry, transport)
        }
        carryReply(&frame, packet, entry, transport)
    }

    /// Translate a server's packet, count it, move the state, and send it to the client.
    @inline(__always)
    mutating func carryReply(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        let route = routing.route(to: packet.key.destination)
        guard route.isUsable else { return refuseForLackOfRoute(&frame, packet, route) }
        let mtu = mtu(route)
        if longestPiece(frame, packet) > mtu, packet.doesNotFragment {
            return refuse(&frame, packet, .tooBig(mtu: mtu), .tooBig)
        }
        decrementTimeToLive(frame, packet)
        redirectIfUseful(frame, packet, route)
        guard var hop = hop(route, frame, packet, nil) else { return drop(.neighborQueueFull) }
        Masquerading.rewriteReply(frame.bytes, packet, entry, frame.offload.checksumState)
        countOut(entry, length: packet.networkLength)
        advance(entry, frame, packet, transport, .reply)
        entry.count(length: packet.networkLength, isRequest: false)
        transmit(&frame, packet, &hop, mtu: mtu)
    }

    /// A packet that leaves by the interface it came by could have gone to the next hop itself: its sender is told, at
    /// most once a second, where the interface sends redirects (`net/ipv4/route.c`, `ip_rt_send_redirect`).
    mutating func redirectIfUseful(_ frame: Frame, _ packet: PacketDescription, _ route: RouteResult) {
        guard packet.isV4, route.interface == frame.interface, routing.interface(frame.interface).sendsRedirects else {
            return
        }
        if let last = lastRedirect, now &- last < Ticks.perSecond { return }
        let back = routing.route(to: packet.key.source)
        guard back.isUsable, back.interface == frame.interface, !back.hasGateway else { return }
        lastRedirect = now
        sendError(.redirect(route.nextHop), about: frame, packet)
    }

    /// Whether a packet without an entry comes from a real server's port, and is no reset.
    func isStray(_ frame: Frame, _ packet: PacketDescription, _ transport: Transport) -> Bool {
        switch transport {
        case .tcp where packet.flags.contains(.rst): return false
        case .sctp where SCTPTracking.isAbort(frame.bytes.dropping(packet.transportOffset)): return false
        default: break
        }
        return services.hasServer(
            transportProtocol: packet.transportProtocol, address: packet.key.source, port: packet.key.sourcePort)
    }
}
