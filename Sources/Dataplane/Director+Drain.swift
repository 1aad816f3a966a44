import Balancer
import Wire

/// The end of a drain (`Balancer/Engine/Engine+Drain.swift`): what workers do with the connections that are left.
///
/// Nothing keeps sequence numbers, but each segment shows those of both sides. So a connection that has traffic is reset by
/// its next segment: the sender gets a reset at the number that it acknowledges, and the segment itself, turned into a
/// reset, goes on to the other end. A silent one is asked for a segment: the client gets an acknowledgement out of its
/// window, which it answers with one in the window (RFC 9293 §3.10.7.4).
extension Director {
    /// A client's packet of a connection that is to be reset.
    @inline(never)
    mutating func cutRequest(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        note(.entry(entry, .request))
        guard transport == .tcp, packet.flags.contains(.ack) || packet.flags.contains(.rst) else {
            end(entry)
            return schedule(&frame, packet, transport)
        }
        var packet = packet
        guard answerWithReset(&frame, &packet) else { return carry(&frame, packet, entry, transport) }
        countIn(entry, packet)
        advance(entry, frame, packet, transport, .reply)
        entry.count(length: packet.networkLength, isRequest: true)
        forward(&frame, packet, entry)
    }

    /// A server's packet of a connection that is to be reset.
    @inline(never)
    mutating func cutReply(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        var packet = packet
        if transport == .tcp { _ = answerWithReset(&frame, &packet) }
        carryReply(&frame, packet, entry, transport)
    }

    /// Reset the sender of a segment, and make the segment a reset. False, and nothing done, for one that is a reset, does
    /// not say what its sender expects, or came in fragments.
    private mutating func answerWithReset(_ frame: inout Frame, _ packet: inout PacketDescription) -> Bool {
        guard packet.flags.contains(.ack), !packet.flags.contains(.rst), packet.hasTransport, !packet.isFragment,
            datagramAtHand == nil
        else { return false }
        reset(frame, packet)
        let length = packet.transportOffset &- packet.networkOffset &+ TCPHeader.minimumLength
        frame.length = packet.networkOffset &+ length
        frame.offload = OffloadFacts()
        packet.networkLength = length
        packet.flags = TCPFlags(rawValue: TCPFlags.rst.rawValue | TCPFlags.ack.rawValue)
        let network = frame.bytes.dropping(packet.networkOffset)
        if packet.isV4 {
            IPv4Header(unchecked: network).setTotalLength(length)
        } else {
            IPv6Header(unchecked: network).payloadLength = length &- IPv6Header.length
        }
        let segment = TCPHeader(unchecked: frame.bytes.dropping(packet.transportOffset))
        segment.headerLength = TCPHeader.minimumLength
        segment.flags = packet.flags
        segment.window = 0
        segment.urgentPointer = 0
        TransportChecksum.fill(
            segment.bytes, at: TCPHeader.checksumOffset, source: packet.key.source,
            destination: packet.key.destination, transportProtocol: IPProtocol.tcp)
        return true
    }

    /// What a walk over the table does with an entry of a destination that is out of service.
    /// - Returns: false when there is no room for more frames: look at it again with the next batch.
    mutating func settle(_ entry: ConnectionEntry, _ state: DestinationState) -> Bool {
        if state.isAvailable, state.isResetting, entry.isOpen, entry.transportProtocol == IPProtocol.tcp,
            !entry.isEmbryonic
        {
            guard outbox.count < 128 else { return false }
            ask(entry)
            return true
        }
        // What has ended goes by its own timer, unless all of them are to go.
        if state.isAvailable, state.isResetting, !entry.isOpen { return true }
        guard !state.isAvailable || state.isResetting || state.flags.contains(.ending) else { return true }
        guard state.isAvailable || settings[.expireNodestConn] != 0 else { return true }
        let control = entry.control
        end(entry)
        if let control, table.entry(control).controlled == 0 { end(table.entry(control)) }
        return true
    }

    /// Have a client show its sequence numbers.
    private mutating func ask(_ entry: ConnectionEntry) {
        var packet = PacketDescription()
        packet.key = entry.requestKey
        guard let (segment, route) = makeSegment(answering: packet, sequence: 0, acknowledgement: 0, flags: .ack) else {
            return
        }
        counters.countMade()
        transmitMade(segment, route)
    }
}
