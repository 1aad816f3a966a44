import Balancer
import Wire

/// ARP and neighbour discovery for addresses that only we own.
extension Director {
    /// Answer an ARP request (RFC 826).
    mutating func answerARP(_ frame: Frame) {
        guard let request = ARPPacket(frame.bytes.dropping(EthernetHeader.length)),
            request.operation == ARPOperation.request, isOnlyOurs(request.targetAddress),
            var answer = outbox.make(EthernetHeader.length &+ ARPPacket.length)
        else { return }
        let mac = routing.interface(frame.interface).mac
        answer.length = EthernetHeader.length &+ ARPPacket.length
        answer.interface = frame.interface
        let header = EthernetHeader(unchecked: answer.bytes)
        header.type = EtherType.arp
        header.source = mac
        header.destination = request.senderMAC
        ARPPacket(unchecked: header.payload).emit(
            operation: ARPOperation.reply, senderMAC: mac, senderAddress: request.targetAddress,
            targetMAC: request.senderMAC, targetAddress: request.senderAddress)
        counters.countMade()
        _ = outbox.send(answer)
    }

    /// Whether `packet` is a neighbour solicitation.
    static func isSolicitation(_ frame: Frame, _ packet: PacketDescription) -> Bool {
        !packet.isV4 && packet.transportProtocol == IPProtocol.icmpv6 && packet.hasTransport
            && frame.bytes[packet.transportOffset] == ICMPv6Type.neighborSolicitation
    }

    /// Answer a neighbour solicitation (RFC 4861 §7.2.4): the hop limit proves that it was not forwarded; one from the
    /// unspecified address asks whether an address is taken, and is answered to all nodes.
    mutating func answerSolicitation(_ frame: Frame, _ packet: PacketDescription) {
        let message = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(packet.transportOffset)
        guard packet.timeToLive == 255, let solicitation = NeighborSolicitation(message),
            isOnlyOurs(solicitation.target),
            ICMPv6Header(unchecked: message).hasValidChecksum(
                source: packet.key.source, destination: packet.key.destination)
        else { return }
        let isProbe = packet.key.source.isUnspecified
        // RFC 4861 §7.1.1: a probe is sent to the group, and names no MAC.
        guard !isProbe || packet.key.destination == solicitation.target.solicitedNode && solicitation.sourceMAC == nil
        else { return }
        advertise(
            solicitation.target, to: isProbe ? .allNodesV6 : packet.key.source,
            mac: isProbe
                ? MACAddress(multicastV6: .allNodesV6)
                : solicitation.sourceMAC ?? EthernetHeader(unchecked: frame.bytes).source,
            flags: isProbe ? .override : .solicited.union(.override), interface: frame.interface)
    }

    /// Send a neighbour advertisement for `address` (RFC 4861 §4.4).
    mutating func advertise(
        _ address: IPAddress, to destination: IPAddress, mac destinationMAC: MACAddress,
        flags: NeighborAdvertisement.Flags, interface: Int
    ) {
        let length = IPv6Header.length &+ NeighborAdvertisement.lengthWithMAC
        guard var answer = outbox.make(EthernetHeader.length &+ length) else { return }
        let mac = routing.interface(interface).mac
        answer.length = EthernetHeader.length &+ length
        answer.interface = interface
        let header = EthernetHeader(unchecked: answer.bytes)
        header.type = EtherType.ipv6
        header.source = mac
        header.destination = destinationMAC
        IPv6Header(unchecked: header.payload).emit(
            trafficClass: 0, flowLabel: 0, payloadLength: NeighborAdvertisement.lengthWithMAC,
            nextHeader: IPProtocol.icmpv6, hopLimit: 255, source: address, destination: destination)
        NeighborAdvertisement(unchecked: header.payload.dropping(IPv6Header.length)).emit(
            flags: flags, target: address, targetMAC: mac, source: address, destination: destination)
        counters.countMade()
        _ = outbox.send(answer)
    }

    /// Whether `address` is a virtual or local address, and the host has it not.
    private func isOnlyOurs(_ address: IPAddress) -> Bool { services.owns(address) && !routing.isLocal(address) }
}
