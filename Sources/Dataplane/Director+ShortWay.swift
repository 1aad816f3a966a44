import Balancer
import Wire

/// The short way, which most packets go: a `PlainPacket` of an established connection, by NAT, FULLNAT or direct routing,
/// both ends IPv4, to a next hop whose MAC is known.
///
/// It does what `receive` would do, and looks before it changes anything: where there is something to decide, the packet goes
/// the long way from its start. `DirectorShortWayTests` holds the two against each other.
extension Director {
    /// Whether packets may go the short way at all: somebody who asked for an explanation is told of the long one, marks are
    /// set there, and it is there that packets to addresses that are not ours meet the services of marks.
    @inline(__always)
    var hasShortWay: Bool { !isTraced && services.markCount == 0 && !services.hasMarks }

    /// Forward `frame`, of IPv4, whose entry a glimpse of its hash showed. False: nothing was done, the packet is to go the
    /// long way.
    @inline(never)
    mutating func goShortWay(_ frame: inout Frame, _ glimpse: Glimpse) -> Bool {
        let bytes = frame.bytes
        guard let packet = PlainPacket(plainV4: bytes),
            EthernetHeader(unchecked: bytes).isTo(routing.interface(frame.interface).mac),
            Self.isOrdinary(frame.offload, PlainPacket.transportOffset, packet.checksumOffset),
            let entry = table.find(packet, glimpse),
            !routing.isPlainLocal(packet.source), !services.owns(IPAddress(v4: packet.source))
        else { return false }
        // Functions of their own, since the inliner ends in the midst of one that does all of it.
        return entry.isFullNAT
            ? goShortWayByFullNAT(&frame, packet, entry, isRequest: glimpse.isRequest)
            : goShortWayByNAT(&frame, packet, entry, isRequest: glimpse.isRequest)
    }

    /// Go on with a packet by NAT or direct routing.
    @inline(never)
    private mutating func goShortWayByNAT(
        _ frame: inout Frame, _ packet: PlainPacket, _ entry: ConnectionEntry, isRequest: Bool
    ) -> Bool {
        forwardPlain(&frame, packet, entry, isRequest: isRequest, shift: nil)
    }

    /// Go on with a packet by FULLNAT.
    @inline(never)
    private mutating func goShortWayByFullNAT(
        _ frame: inout Frame, _ packet: PlainPacket, _ entry: ConnectionEntry, isRequest: Bool
    ) -> Bool {
        guard let shift = FullNAT.steadyShift(frame.bytes, packet, entry, isRequest: isRequest) else { return false }
        return forwardPlain(&frame, packet, entry, isRequest: isRequest, shift: shift)
    }

    /// Check what else there is to check, then forward.
    /// - Parameter shift: by FULLNAT, what the client's sequence numbers are moved by; else nil.
    @inline(__always)
    private mutating func forwardPlain(
        _ frame: inout Frame, _ packet: PlainPacket, _ entry: ConnectionEntry, isRequest: Bool, shift: UInt32?
    ) -> Bool {
        let bytes = frame.bytes
        let destination = slots.destination(entry.destinationSlot)
        let isFullNAT = shift != nil
        // A request is one while its address is ours, and a service that has real servers has its address.
        guard destination.isServing,
            !isRequest || services.ownsVirtualAddresses || routing.isPlainLocal(packet.destination),
            let timeout = steadyTimeout(entry, destination, isTCP: packet.isTCP, isRequest: isRequest),
            let hop = hop(
                to: isRequest ? entry.plainDestination : isFullNAT ? entry.plainClient : packet.destination),
            packet.length <= Int(hop.mtu),
            // A NAT server whose reply leaves where it came in may have to be told of another router.
            isRequest || isFullNAT || Int(hop.interface) != frame.interface
        else { return false }

        // Nothing stops it from here on. Ethernet padding is cut.
        frame.length = EthernetHeader.length &+ packet.length
        frame.interface = Int(hop.interface)
        count(entry, destination, length: packet.length, isRequest: isRequest)
        restart(entry, timeout)
        if let shift {
            FullNAT.forward(bytes, packet, entry, frame.offload.checksumState, isRequest: isRequest, shift: shift)
        } else if entry.method == .masquerading {
            Masquerading.forward(bytes, packet, entry, frame.offload.checksumState, isRequest: isRequest)
        } else {
            IPv4Header(unchecked: bytes.dropping(EthernetHeader.length)).decrementTimeToLive()
        }
        bytes.store(hop.head, 0)
        bytes.store(hop.tail, 8)
        leave(&frame, PlainPacket.transportOffset, packet.checksumOffset, isTCP: packet.isTCP)
        return true
    }

    /// The way to an address; nil: there is none that needs no thought.
    @inline(__always)
    private mutating func hop(to address: UInt32) -> CachedHop? { hops.hop(to: address) ?? learnHop(address) }

    @inline(never)
    private mutating func learnHop(_ address: UInt32) -> CachedHop? { hops.learn(address, routing) }

    // MARK: In common with IPv6

    /// Send a frame that is ready.
    @inline(__always)
    mutating func leave(_ frame: inout Frame, _ transportOffset: Int, _ checksumOffset: Int, isTCP: Bool) {
        if frame.offload.needsChecksum, slotsWithoutPartialChecksums >> UInt64(frame.interface) & 1 != 0 {
            TransportChecksum.complete(frame.bytes.dropping(transportOffset), at: checksumOffset, isUDP: !isTCP)
            frame.offload.needsChecksum = false
        }
        guard outbox.send(frame) else { return drop(.noBuffer) }
        counters.count(.forward)
        wentShortWay &+= 1
    }

    /// Give an entry its time anew.
    @inline(__always)
    mutating func restart(_ entry: ConnectionEntry, _ timeout: Tick) {
        let old = entry.deadline
        entry.timeout = timeout
        entry.deadline = now &+ timeout
        // The wheel looks at an entry at its deadline or before: a later one needs no look at the part that the timer has.
        if Ticks.isBefore(now &+ timeout, old) { expiry.deadlineChanged(entry) }
    }

    /// Whether the frame is no super-frame, and its checksum complete or partial in the packet's own header.
    @inline(__always)
    static func isOrdinary(_ offload: OffloadFacts, _ transportOffset: Int, _ checksumOffset: Int) -> Bool {
        !offload.isSuperFrame
            && (!offload.needsChecksum
                || Int(offload.checksumStart) == transportOffset && Int(offload.checksumOffset) == checksumOffset)
    }

    /// The timeout that the packet gives its entry, which stays in its state; nil: it may change.
    @inline(__always)
    func steadyTimeout(
        _ entry: ConnectionEntry, _ destination: DestinationState, isTCP: Bool, isRequest: Bool
    ) -> Tick? {
        let word = entry.stateWord
        let relevant =
            EntryFlags.removed.rawValue | EntryFlags.active.rawValue | (isRequest ? 0 : EntryFlags.noOutput.rawValue)
        // A server's datagram assures its template.
        let unanswered = relevant | (isRequest ? 0 : EntryFlags.controlled.rawValue)
        let own: Tick
        let setting: Tick
        if isTCP {
            let established = TCPState.established.rawValue
            guard word & (relevant | 0xff) == EntryFlags.active.rawValue | UInt32(established) else { return nil }
            own = destination.tcpTimeout(established)
            setting = settings.tcpTimeout(established)
        } else {
            guard word & unanswered == 0 else { return nil }
            own = destination.udpTimeout
            setting = settings.udpTimeout
        }
        return own != 0 ? own : setting
    }

    /// Count a packet of `length` bytes.
    @inline(__always)
    func count(_ entry: ConnectionEntry, _ destination: DestinationState, length: Int, isRequest: Bool) {
        entry.count(length: length, isRequest: isRequest)
        if isRequest {
            serviceRow.countIn(destination.serviceSlot, bytes: length)
            destinationRow.countIn(entry.destinationSlot, bytes: length)
        } else {
            serviceRow.countOut(destination.serviceSlot, bytes: length)
            destinationRow.countOut(entry.destinationSlot, bytes: length)
        }
    }
}
