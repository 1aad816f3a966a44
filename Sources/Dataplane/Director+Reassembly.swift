import Balancer
import Wire

/// Datagrams that come in fragments are put together before anything else is asked of them: those to our addresses, and
/// those through us that may belong to a connection (`ip_vs_core.c`, `ip_vs_gather_frags`; for IPv6 the kernel gathers
/// them at the door, `net/ipv6/netfilter/nf_defrag_ipv6_hooks.c`).
///
/// A fragment that came ends when its datagram ends, and as that does; until then it waits.
extension Director {
    func isGathered(_ packet: PacketDescription) -> Bool {
        guard isBalanced(packet) else { return isWholeHost && isOurs(packet.key.destination) }
        guard packet.isV4, !isOurs(packet.key.destination) else { return true }
        return packet.transportProtocol == IPProtocol.icmp || Transport(packet.transportProtocol) != nil
    }

    /// Keep a fragment, and handle its datagram when it is the last one.
    mutating func gather(_ frame: Frame, _ packet: PacketDescription) {
        if fragments.needsRoom(packet, frame.bytes) {
            let evicted = fragments.evictOldest()
            counters.wait(-evicted)
            counters.count(.badFragment, evicted)
        }
        switch fragments.add(frame.bytes, packet, now: now) {
        case .waits:
            counters.wait(1)
            note(.waitsForFragments(packet))
        case .refused:
            drop(.badFragment)
        case .broken(let waiting):
            counters.wait(-waiting)
            counters.count(.badFragment, waiting)
            drop(.badFragment)
        case .complete(let datagram):
            handleDatagram(datagram, frame, packet)
        }
    }

    private mutating func handleDatagram(_ datagram: Int, _ last: Frame, _ packet: PacketDescription) {
        let count = fragments.fragmentCount(datagram)
        counters.wait(1 &- count)
        note(.assembled(fragments: count))
        framesAtHand = count
        var whole = fragments.assemble(datagram, networkOffset: packet.networkOffset, isV4: packet.isV4)
        whole.interface = last.interface
        var description = PacketDescription()
        let classification =
            packet.isV4
            ? Classify.v4(whole.bytes, at: packet.networkOffset, into: &description)
            : Classify.v6(whole.bytes, at: packet.networkOffset, into: &description)
        switch classification {
        case .broken(let reason):
            drop(reason)
        case .packet:
            datagramAtHand = datagram
            admit(&whole, &description)
            datagramAtHand = nil
        }
        framesAtHand = 1
        fragments.release(datagram)
    }

    /// Leave a datagram to the host: one to our addresses whole, one through us in the fragments that it came in.
    mutating func passDatagram(_ frame: Frame, _ datagram: Int) {
        let network = frame.bytes.dropping(EthernetHeader.length)
        let isV4 = network[0] >> 4 == 4
        let destination = isV4 ? IPv4Header(unchecked: network).destination : IPv6Header(unchecked: network).destination
        let cut = Fragmentation(
            frame.bytes, networkOffset: EthernetHeader.length, networkLength: frame.length &- EthernetHeader.length,
            isV4: isV4, identification: fragments.identification(datagram), keepsDontFragment: true)
        guard !isOurs(destination), keepsSizes(datagram, cut, mtu: frame.length) else {
            if let copy = outbox.copy(frame) { outbox.pass(copy) }
            return
        }
        var offset = 0
        var index = 0
        while index < fragments.fragmentCount(datagram) {
            let length = originalLength(datagram, index, cut)
            guard var piece = outbox.make(cut.frameLength(length)) else { return }
            piece.length = cut.frameLength(length)
            piece.interface = frame.interface
            cut.write(offset: offset, length: length, to: piece.bytes)
            outbox.pass(piece)
            offset &+= length
            index &+= 1
        }
    }

    /// End datagrams whose time is up; the sender is told if the first fragment is there (RFC 792, RFC 8200 §4.5).
    mutating func endIncompleteDatagrams() {
        while let datagram = fragments.expired(now: now) {
            let count = fragments.fragmentCount(datagram)
            if fragments.hasFirst(datagram) { tellOfTimeout(fragments.firstFragment(datagram)) }
            counters.wait(-count)
            counters.count(.fragmentTimeout, count)
            fragments.release(datagram)
        }
    }

    private mutating func tellOfTimeout(_ first: Frame) {
        var packet = PacketDescription()
        let isV4 = first.bytes[EthernetHeader.length] >> 4 == 4
        let classification =
            isV4
            ? Classify.v4(first.bytes, at: EthernetHeader.length, into: &packet)
            : Classify.v6(first.bytes, at: EthernetHeader.length, into: &packet)
        guard case .packet = classification, isAnsweredForTimeout(packet) else { return }
        // IPv4 packets through us are put together on the way out, IPv6's at the door.
        if isV4, !isOurs(packet.key.destination) { decrementTimeToLive(first, packet) }
        sendError(.reassemblyTimeExceeded, about: first, packet)
    }

    /// Whether nobody but us puts the datagram together: its address is ours alone, or a service or connection has it.
    /// For others the host's stack, which has its own copies, sends the error itself.
    private func isAnsweredForTimeout(_ packet: PacketDescription) -> Bool {
        if isWholeHost { return true }
        let key = packet.key
        guard isOurs(key.destination) else {
            return table.find(key, hash: table.hash(key)).map { $0.direction == .reply } ?? false
        }
        return !routing.isLocal(key.destination)
            || services.find(
                transportProtocol: key.transportProtocol, address: key.destination, port: key.destinationPort, mark: 0)
                != nil
    }
}
