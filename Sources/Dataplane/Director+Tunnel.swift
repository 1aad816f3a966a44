import Balancer
import Wire

/// Tunnels (`-i`): the packet leaves inside another (`ip_vs_xmit.c`, `ip_vs_tunnel_xmit`), and errors about that other
/// packet become errors about the one inside (`ip_vs_core.c`, `ip_vs_in_icmp`).
extension Director {
    /// The least MTU inside a tunnel, below which nothing is sent: 68 (RFC 791 §3.2), 1280 (RFC 8200 §5).
    private static func leastMTU(isV4: Bool) -> Int { isV4 ? 68 : 1280 }

    /// Wrap a packet, its TTL already less one, for the entry's destination, and send it.
    mutating func encapsulate(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ route: RouteResult
    ) {
        let options = slots.destination(entry.destinationSlot).tunnel
        let isOuterV4 = entry.destination.isV4
        let remote = remoteChecksum(frame, packet, options)
        let overhead = Tunneling.overhead(options, isOuterV4: isOuterV4, isRemote: remote != nil)
        let linkMTU = pathMTUs.mtu(to: entry.destination, route: mtu(route), now: now)
        let mtu = linkMTU &- overhead
        guard mtu >= Self.leastMTU(isV4: isOuterV4), !route.source.isUnspecified else {
            return drop(.cannotEncapsulate)
        }
        if segmentLength(frame, packet) > mtu, mustStayWhole(packet) {
            return refuse(&frame, packet, .tooBig(mtu: mtu), .tooBig)
        }
        guard var hop = hop(route, frame, packet, entry) else { return drop(.neighborQueueFull) }
        frame.interface = route.interface
        if packet.hasOptions { recordRoute(frame, packet, hop) }
        note(.wrapped(options.kind, overhead: overhead))
        let keepsWhole = settings[.pmtuDisc] != 0 && packet.doesNotFragment && packet.isV4
        var header = TunnelHeader(
            options: options, source: route.source, destination: entry.destination,
            sourcePort: Tunneling.sourcePort(hash: table.hash(entry.requestKey)), identification: 0,
            copiesDontFragment: keepsWhole)
        guard frame.offload.isSuperFrame else {
            header.identification = keepsWhole ? 0 : nextIdentification()
            if remote == nil { completeChecksum(frame, packet) }
            return transmitWrapped(
                &frame, packet, header, remote: remote, overhead, &hop, mtu: linkMTU, ends: framesAtHand)
        }
        transmitSegmentsWrapped(frame, packet, header, overhead, &hop, mtu: linkMTU)
    }

    /// No device cuts a super-frame inside a tunnel, so it is cut first.
    private mutating func transmitSegmentsWrapped(
        _ frame: Frame, _ packet: PacketDescription, _ tunnel: TunnelHeader, _ overhead: Int, _ hop: inout Hop, mtu: Int
    ) {
        guard let cut = Segmentation(frame.bytes, packet, frame.offload) else {
            return drop(.cannotEncapsulate, &hop, ends: framesAtHand)
        }
        guard outbox.hasRoom(for: cut.count, of: cut.length(0)) else {
            return drop(.noBuffer, &hop, ends: framesAtHand)
        }
        var header = tunnel
        var index = 0
        while index < cut.count {
            let ends = index == 0 ? framesAtHand : 0
            guard var segment = makeSegment(cut, index, frame.interface) else {
                return drop(.noBuffer, &hop, ends: ends)
            }
            var description = packet
            description.networkLength = segment.length &- packet.networkOffset
            header.identification = header.copiesDontFragment ? 0 : nextIdentification()
            transmitWrapped(&segment, description, header, remote: nil, overhead, &hop, mtu: mtu, ends: ends)
            index &+= 1
        }
    }

    /// A packet that is too long is refused unless it may be fragmented: IPv4 without DF, or with `pmtu_disc` off. An ICMP
    /// message is never refused.
    private func mustStayWhole(_ packet: PacketDescription) -> Bool {
        guard packet.isV4 else { return packet.transportProtocol != IPProtocol.icmpv6 }
        return packet.doesNotFragment && settings[.pmtuDisc] != 0 && packet.transportProtocol != IPProtocol.icmp
    }

    /// With `--tun-remcsum` a partial checksum stays partial: the other end of the tunnel completes it.
    private func remoteChecksum(
        _ frame: Frame, _ packet: PacketDescription, _ options: TunnelOptions
    ) -> RemoteChecksum? {
        guard case .gue = options.kind, case .remote = options.checksum, frame.offload.needsChecksum,
            !frame.offload.isSuperFrame, datagramAtHand == nil,
            Int(frame.offload.checksumStart) >= packet.networkOffset
        else { return nil }
        let start = frame.offload.checksumStart &- UInt16(truncatingIfNeeded: packet.networkOffset)
        return RemoteChecksum(start: start, field: start &+ frame.offload.checksumOffset)
    }

    /// Put the outer headers before a packet and send it, in fragments where it is longer than `mtu`.
    private mutating func transmitWrapped(
        _ frame: inout Frame, _ packet: PacketDescription, _ header: TunnelHeader, remote: RemoteChecksum?,
        _ overhead: Int, _ hop: inout Hop, mtu: Int, ends: Int
    ) {
        guard frame.prepend(overhead) else { return drop(.noBuffer, &hop, ends: ends) }
        let length = packet.networkLength &+ overhead
        Tunneling.write(
            frame.bytes.prefix(packet.networkOffset &+ length).dropping(packet.networkOffset), header, remote: remote)
        EthernetHeader(unchecked: frame.bytes).type = header.destination.isV4 ? EtherType.ipv4 : EtherType.ipv6
        Ethernet.address(frame.bytes, from: routing.interface(hop.route.interface).mac, to: hop.mac)
        frame.length = packet.networkOffset &+ length
        frame.offload = OffloadFacts()
        guard datagramAtHand != nil || length > mtu else { return dispatch(frame, &hop, ends: ends) }
        var outer = PacketDescription()
        outer.key.source = header.source
        outer.key.destination = header.destination
        outer.networkOffset = packet.networkOffset
        outer.networkLength = length
        transmitInFragments(frame, outer, &hop, mtu: mtu, ends: ends)
    }

    // MARK: Errors about the outer packet

    /// What a quoted packet of a tunnel carries.
    struct Wrapped {
        var contents: Tunneling.Contents
        var entry: ConnectionEntry
    }

    /// The packet of a client inside a quoted packet, if that is one that we sent into a tunnel.
    func wrapped(_ frame: Frame, _ packet: PacketDescription, _ quoted: QuotedPacket) -> Wrapped? {
        let bytes = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
        guard let contents = Tunneling.contents(of: quoted, bytes), routing.isLocal(quoted.key.source) else {
            return nil
        }
        let key = contents.packet.key
        guard Transport(key.transportProtocol) != nil, let found = table.find(key, hash: table.hash(key)),
            found.direction == .request, found.entry.method == .tunneling,
            found.entry.destination == quoted.key.destination
        else { return nil }
        let destination = slots.destination(found.entry.destinationSlot)
        guard destination.isAvailable else { return nil }
        let options = destination.tunnel
        guard options.kind == contents.kind, options.kind != .gue || options.port == quoted.key.destinationPort else {
            return nil
        }
        return Wrapped(contents: contents, entry: found.entry)
    }

    /// Tell the client what a router on the way to the destination said of the outer packet. An MTU is remembered; the
    /// first error still has the one of the route, until a packet was sent by the one learned, as the kernel's has.
    mutating func tunnelError(
        _ frame: Frame, _ packet: PacketDescription, _ quoted: QuotedPacket, _ wrapped: Wrapped
    ) {
        guard hasValidChecksum(frame, packet) else { return drop(.badICMP) }
        note(.entry(wrapped.entry, .request))
        let message = frame.bytes.dropping(packet.transportOffset)
        let rest: UInt32 = message.load(4)
        let destination = quoted.key.destination
        let isTooBig =
            packet.isV4
            ? message[0] == ICMPType.destinationUnreachable && message[1] == ICMPCode.fragmentationNeeded
            : message[0] == ICMPv6Type.packetTooBig
        let inner = describe(wrapped.contents.packet, frame, packet)
        var mtu = 0
        if isTooBig {
            let route = routing.route(to: destination)
            let reported = packet.isV4 ? Int(rest & 0xffff) : Int(rest)
            pathMTUs.learn(destination, reported: reported, now: now)
            mtu = pathMTUs.mtuInUse(to: destination, route: self.mtu(route), now: now) &- wrapped.contents.overhead
            guard inner.doesNotFragment, mtu > 0 else { return pass(frame) }
        }
        guard
            let error = ICMPError.relayed(
                type: message[0], code: message[1], rest: rest, isV4: packet.isV4, mtu: mtu)
        else { return pass(frame) }
        sendError(error, about: frame, inner)
        // The kernel counts the packet inside besides the error [icmp-tun].
        countOut(wrapped.entry, length: inner.networkLength)
        counters.count(.reply, framesAtHand)
    }

    /// A quoted packet as one that is there, as far as it is quoted.
    private func describe(
        _ quoted: QuotedPacket, _ frame: Frame, _ packet: PacketDescription
    ) -> PacketDescription {
        let there = packet.networkOffset &+ packet.networkLength &- quoted.networkOffset
        let network = frame.bytes.dropping(quoted.networkOffset)
        var inner = PacketDescription()
        inner.key = quoted.key
        inner.networkOffset = quoted.networkOffset
        inner.transportOffset = quoted.transportOffset
        inner.hasTransport = true
        if quoted.key.source.isV4 {
            inner.networkLength = min(there, IPv4Header(unchecked: network).totalLength)
            inner.doesNotFragment = IPv4Header(unchecked: network).doesNotFragment
        } else {
            inner.networkLength = min(there, IPv6Header(unchecked: network).totalLength)
            inner.doesNotFragment = true
        }
        return inner
    }
}
