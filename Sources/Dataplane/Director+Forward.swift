import Balancer
import Wire

/// The way to the real server: route, TTL, MTU, then the entry's method (`net/netfilter/ipvs/ip_vs_xmit.c`).
extension Director {
    mutating func forward(_ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry) {
        let route = routing.route(to: entry.destination)
        if routing.isLocal(entry.destination) { return deliverLocally(&frame, packet, entry) }
        guard route.isUsable else { return refuse(&frame, packet, .hostUnreachable, .noRoute) }
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        decrementTimeToLive(frame, packet)
        if entry.method == .tunneling { return encapsulate(&frame, packet, entry, route) }
        let mtu = mtu(route)
        let isTooBig = segmentLength(frame, packet) > mtu
        if isTooBig, packet.doesNotFragment, settings[.pmtuDisc] != 0 || !packet.isV4 {
            return refuse(&frame, packet, .tooBig(mtu: mtu), .tooBig)
        }
        guard var hop = hop(route, frame, packet, entry) else { return drop(.neighborQueueFull) }
        if entry.method == .masquerading {
            Masquerading.rewriteRequest(frame.bytes, packet, entry, frame.offload.checksumState)
        }
        transmit(&frame, packet, &hop, mtu: mtu)
    }

    /// The destination is an address of the director's own: the local stack gets the packet, rewritten as for a server.
    private mutating func deliverLocally(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry
    ) {
        if entry.method == .masquerading {
            Masquerading.rewriteRequest(frame.bytes, packet, entry, frame.offload.checksumState)
        }
        pass(frame)
    }

    /// The MTU of the way out.
    func mtu(_ route: RouteResult) -> Int {
        route.mtu > 0 ? route.mtu : routing.interface(route.interface).mtu
    }

    /// Length of the largest packet that this one becomes on the wire: of a super-frame, one segment with its headers.
    func segmentLength(_ frame: Frame, _ packet: PacketDescription) -> Int {
        guard frame.offload.isSuperFrame else { return packet.networkLength }
        let headers: Int
        switch packet.transportProtocol {
        case IPProtocol.tcp where packet.hasTransport:
            headers = TCPHeader(unchecked: frame.bytes.dropping(packet.transportOffset)).headerLength
        default: headers = UDPHeader.length
        }
        return packet.transportOffset &- packet.networkOffset &+ headers &+ Int(frame.offload.segmentSize)
    }

    // MARK: The next hop

    /// The next hop of a packet: its MAC, or a place in the queue of those that wait for it.
    struct Hop {
        var route: RouteResult
        var mac: MACAddress
        var place: Int?
    }

    /// Find the next hop. Where its MAC is missing, a place in the queue is taken, with the error that the sender gets if
    /// nobody answers; the packet is not rewritten yet. Nil: the queue is full.
    mutating func hop(
        _ route: RouteResult, _ frame: Frame, _ packet: PacketDescription, _ entry: ConnectionEntry?
    ) -> Hop? {
        let neighbor = routing.neighbor(interface: route.interface, address: route.nextHop)
        if neighbor.isUsable {
            trace?.note(.routed(route, neighbor.mac))
            return Hop(route: route, mac: neighbor.mac, place: nil)
        }
        trace?.note(.waits(route))
        guard let place = neighborQueue.reserve(route, now: now) else { return nil }
        let back = routing.route(to: packet.key.source)
        if ICMPError.isAllowed(about: packet, frame.bytes), back.isUsable {
            let isNAT = entry?.method == .masquerading
            let source = isNAT ? packet.key.destination : back.source
            let length = writeError(
                .hostUnreachable, about: frame, packet, source: source, to: neighborQueue.errorBytes(place))
            neighborQueue.setError(place, length: length, route: back)
        }
        return Hop(route: route, mac: .zero, place: place)
    }

    /// Send a packet that is ready, in fragments where it is too long, or queue it.
    mutating func transmit(_ frame: inout Frame, _ packet: PacketDescription, _ hop: inout Hop, mtu: Int) {
        frame.interface = hop.route.interface
        if packet.hasOptions { IPv4Options.record(hop.route.source, frame.bytes, packet) }
        Ethernet.address(frame.bytes, from: routing.interface(hop.route.interface).mac, to: hop.mac)
        if let place = hop.place {
            guard neighborQueue.fill(place, with: frame) else {
                neighborQueue.cancel(place)
                return drop(.noBuffer)
            }
            return counters.wait(1)
        }
        if !frame.offload.isSuperFrame, packet.networkLength > mtu {
            return transmitInFragments(frame, packet, mtu: mtu)
        }
        guard outbox.send(frame) else { return drop(.noBuffer) }
        counters.count(.forward)
        trace?.note(.sent(interface: frame.interface, length: frame.length))
    }
}
