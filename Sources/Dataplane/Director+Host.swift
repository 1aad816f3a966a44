import Balancer
public import Wire

/// What a host does with packets that are not balanced: answers those to its addresses, forwards the others.
///
/// Live it serves addresses that only Fairlead owns (the host's stack does not know them) and what the guard keeps from the
/// host; in a replay it is the whole host.
extension Director {
    /// Act as the host on a frame that `process` left to it. Answers and forwarded frames go to the outbox.
    ///
    /// - Parameter forwards: whether the host forwards (`net.ipv4.ip_forward`).
    public mutating func actAsHost(_ frame: inout Frame, forwards: Bool) {
        guard let ethernet = EthernetHeader(frame.bytes) else { return }
        var packet = PacketDescription()
        switch ethernet.type {
        case EtherType.arp:
            return countAnswer { $0.answerARP(frame) }
        case EtherType.ipv4:
            guard case .packet = Classify.v4(frame.bytes, at: EthernetHeader.length, into: &packet) else { return }
        case EtherType.ipv6:
            guard case .packet = Classify.v6(frame.bytes, at: EthernetHeader.length, into: &packet) else { return }
        default:
            return
        }
        if Self.isSolicitation(frame, packet) {
            let whole = frame
            return countAnswer { $0.answerSolicitation(whole, packet) }
        }
        guard !ethernet.destination.isGroup, Self.isForOneHost(packet.key.destination) else { return }
        if isOurs(packet.key.destination) {
            let whole = frame
            countAnswer { $0.answer(whole, packet) }
        } else if forwards {
            counters.withdraw(.pass)
            forwardAsRouter(&frame, packet)
        }
    }

    /// Whether a host answers or forwards what is sent to `address`: no group, no loopback, no "this network".
    private static func isForOneHost(_ address: IPAddress) -> Bool {
        if address.isV4 {
            return address.v4 != 0 && address.v4 >> 24 != 127 && !address.isMulticast && address.v4 != 0xffff_ffff
        }
        return !address.isMulticast && !address.isLoopback && !address.isUnspecified
    }

    /// A frame that was counted as passed ends as a reply if `answer` sent one.
    private mutating func countAnswer(_ answer: (inout Director) -> Void) {
        let before = outbox.count
        answer(&self)
        guard outbox.count > before else { return }
        counters.withdraw(.pass)
        counters.count(.reply)
    }

    // MARK: Answering

    private mutating func answer(_ frame: Frame, _ packet: PacketDescription) {
        switch packet.transportProtocol {
        case IPProtocol.icmp where packet.isV4: answerICMP(frame, packet)
        case IPProtocol.icmpv6 where !packet.isV4: answerICMPv6(frame, packet)
        case IPProtocol.none where !packet.isV4: return
        case IPProtocol.tcp: reset(frame, packet)
        case IPProtocol.udp:
            guard packet.hasTransport, hasValidTransportChecksum(frame, packet) else { return }
            sendError(.portUnreachable, about: frame, packet)
        case _ where packet.isV4:
            sendError(.protocolUnreachable, about: frame, packet)
        default:
            let header = IPv6Header(unchecked: frame.bytes.dropping(packet.networkOffset))
            let place = header.offsetOfNextHeader(at: packet.transportOffset &- packet.networkOffset)
            sendError(.unknownNextHeader(at: place), about: frame, packet)
        }
    }

    /// Whether the transport checksum is right, or will be made so by a device.
    private func hasValidTransportChecksum(_ frame: Frame, _ packet: PacketDescription) -> Bool {
        guard !frame.offload.needsChecksum, !frame.offload.isChecksumValid else { return true }
        let transport = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(packet.transportOffset)
        if packet.transportProtocol == IPProtocol.udp, !UDPHeader(unchecked: transport).hasChecksum {
            return packet.isV4
        }
        let pseudo = Checksum.pseudoHeader(
            packet.key.source, packet.key.destination, transportProtocol: packet.transportProtocol,
            length: transport.count)
        return Checksum.checksum(transport, pseudo) == 0
    }

    /// A segment to a port that nobody listens on (RFC 9293 §3.10.7.1; `net/ipv4/tcp_ipv4.c`, `tcp_v4_send_reset`).
    mutating func reset(_ frame: Frame, _ packet: PacketDescription) {
        let bytes = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
        guard packet.hasTransport, !packet.flags.contains(.rst), hasValidTransportChecksum(frame, packet),
            let segment = TCPHeader(bytes.dropping(packet.transportOffset))
        else { return }
        var sequence = segment.acknowledgement
        var acknowledgement: UInt32 = 0
        var flags = TCPFlags.rst
        if !packet.flags.contains(.ack) {
            let length =
                segment.payload.count + (packet.flags.contains(.syn) ? 1 : 0) + (packet.flags.contains(.fin) ? 1 : 0)
            sequence = 0
            acknowledgement = segment.sequence &+ UInt32(truncatingIfNeeded: length)
            flags = TCPFlags(rawValue: TCPFlags.rst.rawValue | TCPFlags.ack.rawValue)
        }
        guard
            let (answer, route) = makeSegment(
                answering: packet, sequence: sequence, acknowledgement: acknowledgement, flags: flags)
        else { return }
        localOutput(answer, packet, .tcp)
        counters.countMade()
        transmitMade(answer, route)
    }

    /// A segment without data from the receiver of `packet` to its sender, and the way there.
    mutating func makeSegment(
        answering packet: PacketDescription, sequence: UInt32, acknowledgement: UInt32, flags: TCPFlags
    ) -> (frame: Frame, route: RouteResult)? {
        let headers = packet.isV4 ? IPv4Header.minimumLength : IPv6Header.length
        let route = routing.route(to: packet.key.source)
        guard route.isUsable,
            var answer = outbox.make(EthernetHeader.length &+ headers &+ TCPHeader.minimumLength)
        else { return nil }
        answer.length = EthernetHeader.length &+ headers &+ TCPHeader.minimumLength
        answer.interface = route.interface
        let output = answer.bytes
        output.zero(0, output.count)
        let header = TCPHeader(unchecked: output.dropping(EthernetHeader.length &+ headers))
        header.sourcePort = packet.key.destinationPort
        header.destinationPort = packet.key.sourcePort
        header.headerLength = TCPHeader.minimumLength
        header.sequence = sequence
        header.acknowledgement = acknowledgement
        header.flags = flags
        TransportChecksum.fill(
            header.bytes, at: TCPHeader.checksumOffset, source: packet.key.destination, destination: packet.key.source,
            transportProtocol: IPProtocol.tcp)
        emitNetworkHeader(
            output, packet, fragmentWord: IPv4Header.dontFragment, identification: 0,
            length: headers &+ TCPHeader.minimumLength, transportProtocol: IPProtocol.tcp)
        return (answer, route)
    }

    /// A host's answer passes the kernel's output hook: where the host is the real server of a connection, it is the
    /// server's packet (`ip_vs_core.c`, `ip_vs_out_hook` at LOCAL_OUT). `packet` is what is answered.
    private mutating func localOutput(_ answer: Frame, _ packet: PacketDescription, _ transport: Transport) {
        let key = packet.key.reversed
        var made = PacketDescription()
        let read =
            packet.isV4
            ? Classify.v4(answer.bytes, at: EthernetHeader.length, into: &made)
            : Classify.v6(answer.bytes, at: EthernetHeader.length, into: &made)
        guard case .packet = read else { return }
        let entry: ConnectionEntry
        if let found = table.find(key, hash: table.hash(key)), found.direction == .reply {
            entry = found.entry
            Masquerading.rewriteReply(answer.bytes, made, entry, .complete)
        } else if let found = table.find(packet.key, hash: table.hash(packet.key)), found.direction == .request,
            !found.entry.hasReplies
        {
            entry = found.entry
        } else {
            return
        }
        countOut(entry, length: made.networkLength)
        advance(entry, answer, made, transport, .reply)
    }

    /// The network header of an answer: addresses turned round, TTL 64, the packet's ToS without its ECN bits.
    private func emitNetworkHeader(
        _ output: PacketBytes, _ packet: PacketDescription, fragmentWord: UInt16, identification: UInt16, length: Int,
        transportProtocol: UInt8, service: UInt8 = 0
    ) {
        let network = output.dropping(EthernetHeader.length)
        EthernetHeader(unchecked: output).type = packet.isV4 ? EtherType.ipv4 : EtherType.ipv6
        if packet.isV4 {
            IPv4Header(unchecked: network).emit(
                typeOfService: service, totalLength: length, identification: identification,
                fragmentWord: fragmentWord, timeToLive: 64, transportProtocol: transportProtocol,
                source: packet.key.destination, destination: packet.key.source)
        } else {
            IPv6Header(unchecked: network).emit(
                trafficClass: service, flowLabel: 0, payloadLength: length &- IPv6Header.length,
                nextHeader: transportProtocol, hopLimit: 64, source: packet.key.destination,
                destination: packet.key.source)
        }
    }

    /// Echo and timestamp (RFC 792); nothing else is answered, nor a wrong checksum.
    private mutating func answerICMP(_ frame: Frame, _ packet: PacketDescription) {
        guard packet.hasTransport else { return }
        let message = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(packet.transportOffset)
        let request = ICMPHeader(unchecked: message)
        guard request.code == 0, request.hasValidChecksum else { return }
        let type: UInt8
        switch request.type {
        case ICMPType.echoRequest: type = ICMPType.echoReply
        case ICMPType.timestampRequest where message.count >= 20: type = ICMPType.timestampReply
        default: return
        }
        guard let (answer, output, route) = makeAnswer(packet, message, IPv4Header.minimumLength) else { return }
        let reply = ICMPHeader(unchecked: output)
        reply.type = type
        if type == ICMPType.timestampReply {
            let milliseconds = UInt32(truncatingIfNeeded: UInt64(now) &* Ticks.milliseconds)
            output.store(milliseconds, 12)
            output.store(milliseconds, 16)
        }
        reply.fillChecksum()
        emitNetworkHeader(
            answer.bytes, packet, fragmentWord: 0, identification: nextIdentification(),
            length: IPv4Header.minimumLength &+ message.count, transportProtocol: IPProtocol.icmp,
            service: frame.bytes[packet.networkOffset &+ 1])
        counters.countMade()
        transmitMade(answer, route)
    }

    private mutating func answerICMPv6(_ frame: Frame, _ packet: PacketDescription) {
        guard packet.hasTransport else { return }
        let message = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(packet.transportOffset)
        let request = ICMPv6Header(unchecked: message)
        guard request.type == ICMPv6Type.echoRequest, request.code == 0,
            request.hasValidChecksum(source: packet.key.source, destination: packet.key.destination),
            let (answer, output, route) = makeAnswer(packet, message, IPv6Header.length)
        else { return }
        let reply = ICMPv6Header(unchecked: output)
        reply.type = ICMPv6Type.echoReply
        reply.fillChecksum(source: packet.key.destination, destination: packet.key.source)
        emitNetworkHeader(
            answer.bytes, packet, fragmentWord: 0, identification: 0, length: IPv6Header.length &+ message.count,
            transportProtocol: IPProtocol.icmpv6,
            service: IPv6Header(unchecked: frame.bytes.dropping(packet.networkOffset)).trafficClass)
        counters.countMade()
        transmitMade(answer, route)
    }

    /// A frame with a copy of `message` behind room for Ethernet and network header.
    private mutating func makeAnswer(
        _ packet: PacketDescription, _ message: PacketBytes, _ headers: Int
    ) -> (frame: Frame, message: PacketBytes, route: RouteResult)? {
        let route = routing.route(to: packet.key.source)
        let length = EthernetHeader.length &+ headers &+ message.count
        guard route.isUsable, var answer = outbox.make(length) else { return nil }
        answer.length = length
        answer.interface = route.interface
        let output = answer.bytes.dropping(EthernetHeader.length &+ headers)
        output.copy(from: message)
        return (answer, output, route)
    }

    // MARK: Forwarding

    /// Forward a packet that is not balanced (`net/ipv4/ip_forward.c`, `net/ipv6/ip6_output.c`).
    private mutating func forwardAsRouter(_ frame: inout Frame, _ packet: PacketDescription) {
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        let route = routing.route(to: packet.key.destination)
        guard route.isUsable else { return refuseForLackOfRoute(&frame, packet, route) }
        let mtu = mtu(route)
        if segmentLength(frame, packet) > mtu, packet.doesNotFragment {
            return refuse(&frame, packet, .tooBig(mtu: mtu), .tooBig)
        }
        decrementTimeToLive(frame, packet)
        redirectIfUseful(frame, packet, route)
        guard var hop = hop(route, frame, packet, nil) else { return drop(.neighborQueueFull) }
        transmit(&frame, packet, &hop, mtu: mtu)
    }
}
