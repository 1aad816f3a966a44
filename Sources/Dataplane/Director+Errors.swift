import Balancer
import Wire

/// ICMP errors that the director sends itself (`net/ipv4/icmp.c`, `icmp_send`).
extension Director {
    /// Drop a packet and tell its sender why, where that may be told.
    ///
    /// - Parameter decremented: whether the packet is quoted as a router would, its TTL one less.
    mutating func refuse(
        _ frame: inout Frame, _ packet: PacketDescription, _ error: ICMPError, _ reason: DropReason,
        decremented: Bool = false
    ) {
        if decremented { decrementTimeToLive(frame, packet) }
        sendError(error, about: frame, packet)
        drop(reason)
    }

    /// Drop a packet that is only forwarded, for want of a route: a blackhole says nothing.
    mutating func refuseForLackOfRoute(_ frame: inout Frame, _ packet: PacketDescription, _ route: RouteResult) {
        switch route.kind {
        case .blackhole, .broadcast: drop(.noRoute)
        default: refuse(&frame, packet, .noRoute, .noRoute)
        }
    }

    /// Send an error about `packet` to its sender.
    mutating func sendError(_ error: ICMPError, about frame: Frame, _ packet: PacketDescription) {
        guard ICMPError.isAllowed(about: packet, frame.bytes) else { return }
        let route = routing.route(to: packet.key.source)
        guard route.isUsable else { return }
        guard var answer = outbox.make(EthernetHeader.length &+ ICMPError.largest(isV4: packet.isV4)) else { return }
        answer.length = writeError(error, about: frame, packet, source: errorSource(packet, route), to: answer.writable)
        answer.interface = route.interface
        counters.countMade()
        if let entry = entryOfError(about: packet) { countOut(entry, length: answer.length &- EthernetHeader.length) }
        translateOwnError(answer, about: packet)
        transmitMade(answer, route)
    }

    /// Where our host is the real server of a NAT connection, its errors are the server's, and translated like these
    /// (`ip_vs_core.c`, `ip_vs_out_hook` at LOCAL_OUT).
    @inline(never)
    private func translateOwnError(_ answer: Frame, about packet: PacketDescription) {
        guard Transport(packet.transportProtocol) != nil, packet.hasTransport else { return }
        let key = packet.key.reversed
        guard let found = table.find(key, hash: table.hash(key)), found.direction == .reply,
            found.entry.method == .masquerading
        else { return }
        var made = PacketDescription()
        let read =
            packet.isV4
            ? Classify.v4(answer.bytes, at: EthernetHeader.length, into: &made)
            : Classify.v6(answer.bytes, at: EthernetHeader.length, into: &made)
        guard case .packet = read,
            let quoted = QuotedPacket(
                answer.bytes, at: made.transportOffset &+ ICMPHeader.length, isV4: packet.isV4), quoted.hasPorts
        else { return }
        ICMPTranslation.rewriteReply(answer.bytes, made, quoted, found.entry)
        countOut(found.entry, length: made.networkLength)
    }

    /// The DR or tunnel connection of a packet that an error of ours is about. The kernel's own errors pass its output
    /// hook, which takes them for the server's where replies are looked for by the virtual address
    /// (`ip_vs_core.c`, `ip_vs_out_icmp`; `ip_vs_conn.c`, `ip_vs_conn_out_get`).
    private func entryOfError(about packet: PacketDescription) -> ConnectionEntry? {
        guard Transport(packet.transportProtocol) != nil, packet.hasTransport,
            let found = table.find(packet.key, hash: table.hash(packet.key)), found.direction == .request,
            !found.entry.hasReplies
        else { return nil }
        return found.entry
    }

    /// The source of an error: the address the packet was sent to when that is ours, else the route's.
    func errorSource(_ packet: PacketDescription, _ route: RouteResult) -> IPAddress {
        isOurs(packet.key.destination) ? packet.key.destination : route.source
    }

    /// Write an error about `packet`, Ethernet header first with its addresses left out.
    /// - Returns: the frame's length.
    mutating func writeError(
        _ error: ICMPError, about frame: Frame, _ packet: PacketDescription, source: IPAddress, to output: PacketBytes
    ) -> Int {
        EthernetHeader(unchecked: output).type = packet.isV4 ? EtherType.ipv4 : EtherType.ipv6
        let quoted = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.networkOffset)
        return EthernetHeader.length
            &+ error.write(
                to: output.dropping(EthernetHeader.length), quoting: quoted, source: source,
                destination: packet.key.source, identification: nextIdentification())
    }

    /// Send a frame that we made, to the next hop of `route`.
    mutating func transmitMade(_ frame: Frame, _ route: RouteResult) {
        let hop = routing.neighbor(interface: route.interface, address: route.nextHop)
        if hop.isUsable {
            Ethernet.address(frame.bytes, from: routing.interface(route.interface).mac, to: hop.mac)
            _ = outbox.send(frame)
            return
        }
        guard let place = neighborQueue.reserve(route, now: now) else { return }
        if !neighborQueue.fill(place, with: frame, ends: 0) { neighborQueue.cancel(place) }
    }

    @inline(__always)
    func decrementTimeToLive(_ frame: Frame, _ packet: PacketDescription) {
        let network = frame.bytes.dropping(packet.networkOffset)
        if packet.isV4 {
            IPv4Header(unchecked: network).decrementTimeToLive()
        } else {
            IPv6Header(unchecked: network).decrementHopLimit()
        }
    }
}
