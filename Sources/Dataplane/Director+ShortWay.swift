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
    var hasShortWay: Bool { !isTraced && services.countV4 > 0 && services.markCount == 0 && !services.hasMarks }

    /// Forward `frame`, whose hash in the table is `hash`. False: nothing was done, the packet is to go the long way.
    @inline(never)
    mutating func goShortWay(_ frame: inout Frame, hash: UInt64) -> Bool {
        let bytes = frame.bytes
        guard let packet = PlainPacket(plainV4: bytes),
            EthernetHeader(unchecked: bytes).destination == routing.interface(frame.interface).mac,
            Self.isOrdinary(frame.offload, packet), !routing.isPlainLocal(packet.source),
            !services.owns(IPAddress(v4: packet.source)), let found = table.find(packet, hash: hash)
        else { return false }
        // A function of its own, since the inliner ends in the midst of one that has both.
        if found.entry.isFullNAT {
            return goShortWayByFullNAT(&frame, packet, found.entry, isRequest: found.isRequest)
        }
        return forwardPlain(&frame, packet, found.entry, isRequest: found.isRequest, shift: nil)
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
        // A request is one while its address is ours.
        guard destination.isServing,
            !isRequest || services.owns(IPAddress(v4: packet.destination))
                || routing.isPlainLocal(packet.destination),
            let timeout = steadyTimeout(entry, destination, packet, isRequest),
            let route = routing.plainRoute(
                to: isRequest ? entry.plainDestination : isFullNAT ? entry.plainClient : packet.destination)
        else { return false }
        let egress = routing.interface(route.interface)
        let neighbor = routing.neighbor(interface: route.interface, address: IPAddress(v4: route.nextHop))
        // A NAT server whose reply leaves where it came in may have to be told of another router.
        guard neighbor.isUsable, packet.length <= (route.mtu > 0 ? route.mtu : egress.mtu),
            isRequest || isFullNAT || route.interface != frame.interface
        else { return false }

        // Nothing stops it from here on. Ethernet padding is cut.
        frame.length = EthernetHeader.length &+ packet.length
        frame.interface = route.interface
        count(packet, entry, destination, isRequest: isRequest)
        entry.timeout = timeout
        entry.deadline = now &+ timeout
        expiry.deadlineChanged(entry)
        if let shift {
            FullNAT.forward(bytes, packet, entry, frame.offload.checksumState, isRequest: isRequest, shift: shift)
        } else if entry.method == .masquerading {
            Masquerading.forward(bytes, packet, entry, frame.offload.checksumState, isRequest: isRequest)
        } else {
            IPv4Header(unchecked: bytes.dropping(EthernetHeader.length)).decrementTimeToLive()
        }
        Ethernet.address(bytes, from: egress.mac, to: neighbor.mac)
        if frame.offload.needsChecksum, slotsWithoutPartialChecksums >> UInt64(route.interface) & 1 != 0 {
            TransportChecksum.complete(
                frame.bytes.dropping(PlainPacket.transportOffset), at: packet.checksumOffset, isUDP: !packet.isTCP)
            frame.offload.needsChecksum = false
        }
        guard outbox.send(frame) else {
            drop(.noBuffer)
            return true
        }
        counters.count(.forward)
        wentShortWay &+= 1
        return true
    }

    /// Whether the frame is no super-frame, and its checksum complete or partial in the packet's own header.
    @inline(__always)
    private static func isOrdinary(_ offload: OffloadFacts, _ packet: PlainPacket) -> Bool {
        !offload.isSuperFrame
            && (!offload.needsChecksum
                || Int(offload.checksumStart) == PlainPacket.transportOffset
                    && Int(offload.checksumOffset) == packet.checksumOffset)
    }

    /// The timeout that the packet gives its entry, which stays in its state; nil: it may change.
    @inline(__always)
    private func steadyTimeout(
        _ entry: ConnectionEntry, _ destination: DestinationState, _ packet: PlainPacket, _ isRequest: Bool
    ) -> Tick? {
        let word = entry.stateWord
        let relevant =
            EntryFlags.removed.rawValue | EntryFlags.active.rawValue | (isRequest ? 0 : EntryFlags.noOutput.rawValue)
        let own: Tick
        let setting: Tick
        if packet.isTCP {
            let established = TCPState.established.rawValue
            guard word & (relevant | 0xff) == EntryFlags.active.rawValue | UInt32(established) else { return nil }
            own = destination.tcpTimeout(established)
            setting = settings.tcpTimeout(established)
        } else {
            // A server's datagram assures its template.
            guard word & relevant == 0, isRequest || entry.control == nil else { return nil }
            own = destination.udpTimeout
            setting = settings.udpTimeout
        }
        return own != 0 ? own : setting
    }

    @inline(__always)
    private func count(
        _ packet: PlainPacket, _ entry: ConnectionEntry, _ destination: DestinationState, isRequest: Bool
    ) {
        entry.count(length: packet.length, isRequest: isRequest)
        if isRequest {
            serviceRow.countIn(destination.serviceSlot, bytes: packet.length)
            destinationRow.countIn(entry.destinationSlot, bytes: packet.length)
        } else {
            serviceRow.countOut(destination.serviceSlot, bytes: packet.length)
            destinationRow.countOut(entry.destinationSlot, bytes: packet.length)
        }
    }
}
