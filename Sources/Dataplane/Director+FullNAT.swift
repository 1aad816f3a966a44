import Balancer
import Wire

/// FULLNAT (`Balancer/Forwarding/FullNAT.swift`): both ways of a connection through a local address.
extension Director {
    // MARK: Local ports

    /// A free local address and port for a new connection, and what goes with it; nil when every port is in use.
    mutating func bindLocal(
        _ pool: LocalPoolReference?, _ frame: Frame, _ packet: PacketDescription, _ record: ServiceRecord,
        _ server: DestinationKey
    ) -> FullNATBinding? {
        guard let pool, let local = takeLocal(pool, packet, server) else { return nil }
        var binding = FullNATBinding(local: local)
        switch packet.transportProtocol {
        case IPProtocol.tcp:
            let segment = TCPHeader(unchecked: frame.bytes.dropping(packet.transportOffset))
            let replies = FlowKey(
                source: server.address, destination: local.address, sourcePort: server.port,
                destinationPort: local.port, transportProtocol: IPProtocol.tcp)
            binding.sequenceOffset = table.initialSequence(replies: replies, now: now) &- segment.sequence
            binding.firstSequence = segment.sequence &+ 1
            // A connection that the director did not see begin has no place for the address any more.
            if packet.flags.contains(.syn) { binding.carrier = record.clientAddress }
        case IPProtocol.udp:
            if record.clientAddress == .proxyProtocol { binding.carrier = .proxyProtocol }
        default:
            break
        }
        return binding
    }

    /// Whether the host itself sent a packet here: of a connection that it opens, or a real server's on it.
    @inline(__always)
    func isOfHost(_ frame: Frame) -> Bool { frame.interface == localClientSlot }

    /// The way to an entry's real server. One on the host itself is reached by the device that its answers come by.
    @inline(__always)
    func routeToServer(_ entry: ConnectionEntry) -> RouteResult {
        let route = routing.route(to: entry.destination)
        return route.isLocal ? routing.route(to: entry.local) : route
    }

    /// Of the host's own addresses the one that packets to the server have anyway; else each address in its turn.
    @inline(__always)
    private func takeLocal(
        _ pool: LocalPoolReference, _ packet: PacketDescription, _ server: DestinationKey
    ) -> LocalEndpoint? {
        if pool.hasHostAddresses, let own = pool.find(routing.route(to: server.address).source) {
            return own.take(transportProtocol: packet.transportProtocol)
        }
        return pool.take(isV4: server.address.isV4, transportProtocol: packet.transportProtocol)
    }

    /// A local port's connection has ended, or was never made. The rules' newest snapshot is asked: it names every address
    /// that has a port in use.
    func giveBack(_ local: LocalEndpoint, transportProtocol: UInt8) {
        engine.services.locals.giveBack(local, transportProtocol: transportProtocol)
    }

    // MARK: To the real server

    /// Send a client's packet to its real server.
    @inline(never)
    mutating func forwardFullNAT(_ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry) {
        let route = routeToServer(entry)
        guard route.isUsable else { return refuse(&frame, packet, .hostUnreachable, .noRoute) }
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        decrementTimeToLive(frame, packet)
        let mtu = mtu(route)
        let hasHeader = packet.transportProtocol == IPProtocol.udp && entry.carrier == .proxyProtocol
        let added = hasHeader ? ClientAddress.headerLength(entry) : 0
        if let told = refusedMTU(frame, packet, entry, added: added, mtu: mtu) {
            return refuse(&frame, packet, .tooBig(mtu: told), .tooBig)
        }
        guard var hop = hop(route, frame, packet, entry) else { return drop(.neighborQueueFull) }
        if packet.transportProtocol == IPProtocol.tcp {
            return forwardSegment(&frame, packet, entry, &hop, mtu: mtu)
        }
        var sent = packet
        let addresses = readdress(&frame, &sent, entry)
        FullNAT.rewriteRequest(
            frame.bytes, sent, entry, frame.offload.checksumState, addresses: addresses, shift: 0, segmentLimit: 0)
        guard hasHeader else { return transmit(&frame, sent, &hop, mtu: mtu) }
        if frame.offload.isSuperFrame { return transmitDatagrams(&frame, sent, entry, &hop, mtu: mtu) }
        guard ClientAddress.addHeader(&frame, &sent, entry) else {
            return drop(.cannotEncapsulate, &hop, ends: framesAtHand)
        }
        transmit(&frame, sent, &hop, mtu: mtu)
    }

    /// Give a client's packet the addresses that its real server sees, in the server's family.
    /// - Returns: the difference for the transport checksum.
    private mutating func readdress(
        _ frame: inout Frame, _ packet: inout PacketDescription, _ entry: ConnectionEntry
    ) -> UInt64 {
        guard entry.translatesFamily else { return FullNAT.readdressRequest(frame.bytes, packet, entry) }
        return FamilyTranslation.toV4(
            &frame, &packet, source: entry.local, destination: entry.destination,
            identification: nextIdentification(), mayFragment: datagramAtHand != nil)
    }

    /// The MTU that the client is to be told of when its packet is too long for the way to the server; nil: it may go.
    private func refusedMTU(
        _ frame: Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, added: Int, mtu: Int
    ) -> Int? {
        // What came in fragments may leave in fragments: the header is cut with the rest.
        let length = segmentLength(frame, packet) &+ (datagramAtHand == nil ? added : 0)
        guard entry.translatesFamily else {
            return length > mtu && packet.doesNotFragment ? mtu &- added : nil
        }
        let shorter = packet.transportOffset &- packet.networkOffset &- IPv4Header.minimumLength
        let translated = length &- shorter
        guard datagramAtHand == nil, translated > mtu, translated > FamilyTranslation.longestFragmentable else {
            return nil
        }
        return max(mtu &+ shorter &- added, Self.leastV6MTU)
    }

    /// Send a client's TCP segment, with what tells the server the client's address.
    private mutating func forwardSegment(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ hop: inout Hop, mtu: Int
    ) {
        let window = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(packet.transportOffset)
        let header = TCPHeader(unchecked: window)
        FullNAT.noteRequest(header, entry)
        var segment = FullNAT.segment(header, entry)
        // A header that says less or more than is there has no place for anything.
        if TCPHeader(window) == nil { segment.load = .none }
        var sent = packet
        let addresses = readdress(&frame, &sent, entry)
        let isAlone = frame.offload.isSuperFrame || datagramAtHand != nil
        let headerLength = ClientAddress.headerLength(entry)
        var isApart = false
        if segment.load == .header {
            isApart = isAlone || sent.networkLength &+ headerLength > mtu
            if isApart { segment.shift &+= UInt32(truncatingIfNeeded: headerLength) }
        }
        FullNAT.rewriteRequest(
            frame.bytes, sent, entry, frame.offload.checksumState, addresses: addresses, shift: segment.shift,
            segmentLimit: segmentLimit(packet, entry))
        switch segment.load {
        case .none:
            break
        case .option:
            let room = mtu &- ClientAddress.optionLength(entry)
            if datagramAtHand == nil, segmentLength(frame, sent) <= room {
                _ = ClientAddress.addOption(&frame, &sent, entry)
            }
        case .header:
            entry.set(.headerSent)
            let isSent =
                isApart
                ? transmitHeader(before: frame, sent, entry, &hop) : ClientAddress.addHeader(&frame, &sent, entry)
            guard isSent else { return drop(.noBuffer, &hop, ends: framesAtHand) }
        }
        transmit(&frame, sent, &hop, mtu: mtu)
    }

    /// The most that a client's SYN may ask segments to carry: with NAT64 as much as fits into IPv6 on its way to it.
    private func segmentLimit(_ packet: PacketDescription, _ entry: ConnectionEntry) -> Int {
        guard entry.translatesFamily, packet.flags.contains(.syn) else { return Int.max }
        let back = routing.route(to: entry.client)
        return back.isUsable ? mtu(back) &- IPv6Header.length &- TCPHeader.minimumLength : Int.max
    }

    /// Send the PROXY header in a segment of its own. False: no room for it.
    private mutating func transmitHeader(
        before frame: Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ hop: inout Hop
    ) -> Bool {
        let length = ClientAddress.headerSegmentLength(packet, entry)
        guard var made = outbox.make(length) else { return false }
        made.length = length
        made.interface = hop.route.interface
        ClientAddress.writeHeaderSegment(
            to: made.bytes, before: frame.bytes, packet, entry, identification: nextIdentification())
        Ethernet.address(made.bytes, from: routing.interface(hop.route.interface).mac, to: hop.mac)
        counters.countMade()
        dispatch(made, &hop, ends: 0)
        return true
    }

    /// Send the datagrams of a super-frame, each with the PROXY header: no device puts it into each.
    private mutating func transmitDatagrams(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ hop: inout Hop, mtu: Int
    ) {
        frame.interface = hop.route.interface
        Ethernet.address(frame.bytes, from: routing.interface(frame.interface).mac, to: hop.mac)
        guard let cut = Segmentation(frame.bytes, packet, frame.offload) else {
            return drop(.cannotEncapsulate, &hop, ends: framesAtHand)
        }
        guard outbox.hasRoom(for: cut.count, of: cut.length(0)) else {
            return drop(.noBuffer, &hop, ends: framesAtHand)
        }
        var index = 0
        while index < cut.count {
            let ends = index == 0 ? framesAtHand : 0
            var description = packet
            description.networkLength = cut.length(index) &- packet.networkOffset
            guard var segment = makeSegment(cut, index, frame.interface),
                ClientAddress.addHeader(&segment, &description, entry)
            else { return drop(.noBuffer, &hop, ends: ends) }
            if description.networkLength > mtu {
                transmitInFragments(segment, description, &hop, mtu: mtu, ends: ends)
            } else {
                dispatch(segment, &hop, ends: ends)
            }
            index &+= 1
        }
    }

    // MARK: To the client

    /// Send a real server's packet to its client.
    @inline(never)
    mutating func replyFullNAT(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        note(.entry(entry, .reply))
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        let route = routing.route(to: entry.client)
        guard route.isUsable else { return refuse(&frame, packet, .hostUnreachable, .noRoute) }
        let mtu = mtu(route)
        let growth =
            entry.translatesFamily ? IPv6Header.length &- (packet.transportOffset &- packet.networkOffset) : 0
        if growth > 0, frame.offload.isSuperFrame {
            limitSegments(&frame, packet, to: mtu &- growth)
        }
        if longestPiece(frame, packet) &+ growth > mtu, packet.doesNotFragment {
            return refuse(&frame, packet, .tooBig(mtu: mtu &- growth), .tooBig)
        }
        decrementTimeToLive(frame, packet)
        guard var hop = hop(route, frame, packet, nil) else { return drop(.neighborQueueFull) }
        if packet.transportProtocol == IPProtocol.tcp {
            FullNAT.noteReply(TCPHeader(unchecked: frame.bytes.dropping(packet.transportOffset)), entry)
        }
        var sent = packet
        var addresses: UInt64 = 0
        if entry.translatesFamily {
            guard
                FamilyTranslation.toV6(
                    &frame, &sent, source: entry.virtual, destination: entry.client, difference: &addresses)
            else { return drop(.cannotEncapsulate, &hop, ends: framesAtHand) }
        } else {
            addresses = FullNAT.readdressReply(frame.bytes, packet, entry)
        }
        FullNAT.rewriteReply(frame.bytes, sent, entry, frame.offload.checksumState, addresses: addresses)
        countOut(entry, length: packet.networkLength)
        advance(entry, frame, sent, transport, .reply)
        entry.count(length: packet.networkLength, isRequest: false)
        transmit(&frame, sent, &hop, mtu: mtu)
    }

    /// A TCP super-frame whose segments would be too long in the other family is cut into shorter ones.
    private func limitSegments(_ frame: inout Frame, _ packet: PacketDescription, to mtu: Int) {
        guard packet.transportProtocol == IPProtocol.tcp else { return }
        let surplus = segmentLength(frame, packet) &- mtu
        guard surplus > 0, Int(frame.offload.segmentSize) > surplus else { return }
        frame.offload.segmentSize &-= UInt16(truncatingIfNeeded: surplus)
    }
}
