import Balancer
public import Wire

/// Live, the host's stack has its own copy of every frame that the director leaves to it. Only where that copy leads to
/// nothing the director acts instead.
extension Director {
    /// Settle the frames of a batch that were passed: those to addresses that only we own, and those that the guard keeps
    /// from the host, are answered or forwarded here.
    ///
    /// - Parameters:
    ///   - isGuarded: whether the guard is up.
    ///   - forwards: whether the host forwards.
    public mutating func settlePassed(isGuarded: Bool, forwards: Bool) {
        for place in 0..<outbox.passedCount {
            var frame = unsafe outbox.passing[place]
            guard isForUs(frame, isGuarded: isGuarded) else { continue }
            actAsHost(&frame, forwards: forwards)
        }
        outbox.forgetPassed()
    }

    private func isForUs(_ frame: Frame, isGuarded: Bool) -> Bool {
        guard let ethernet = EthernetHeader(frame.bytes) else { return false }
        var packet = PacketDescription()
        switch ethernet.type {
        case EtherType.arp:
            return true
        case EtherType.ipv4:
            guard case .packet = Classify.v4(frame.bytes, at: EthernetHeader.length, into: &packet) else {
                return false
            }
        case EtherType.ipv6:
            guard case .packet = Classify.v6(frame.bytes, at: EthernetHeader.length, into: &packet) else {
                return false
            }
        default:
            return false
        }
        if Self.isSolicitation(frame, packet) { return true }
        let key = packet.key
        let mark = services.markCount > 0 ? services.mark(of: key, interface: frame.interface) : 0
        if routing.isLocal(key.destination) {
            guard isGuarded, packet.hasTransport, Transport(key.transportProtocol) != nil else { return false }
            if let local = services.locals.find(key.destination), local.owns(port: key.destinationPort) { return true }
            return services.find(
                transportProtocol: key.transportProtocol, address: key.destination, port: key.destinationPort,
                mark: mark)
                != nil
        }
        if services.owns(key.destination) { return true }
        if isGuarded, mark != 0, services.hasMark(mark, isV4: packet.isV4) { return true }
        return isGuarded
            && services.hasServer(transportProtocol: key.transportProtocol, address: key.source, port: key.sourcePort)
    }

    /// Tell the neighbours of every address that only we own that it is here (gratuitous ARP, RFC 5227 §3; unsolicited
    /// advertisement, RFC 4861 §7.2.6).
    public mutating func announce(_ addresses: [IPAddress]) {
        for address in addresses where !routing.isLocal(address) {
            let route = routing.route(to: address)
            guard route.isUsable, !route.hasGateway else { continue }
            guard address.isV4 else {
                let group = IPAddress.allNodesV6
                advertise(
                    address, to: group, mac: MACAddress(multicastV6: group), flags: .override,
                    interface: route.interface)
                continue
            }
            guard
                var frame = outbox.make(EthernetHeader.length + ARPPacket.length)
            else { continue }
            let mac = routing.interface(route.interface).mac
            frame.length = EthernetHeader.length + ARPPacket.length
            frame.interface = route.interface
            let header = EthernetHeader(unchecked: frame.bytes)
            header.type = EtherType.arp
            header.source = mac
            header.destination = .broadcast
            ARPPacket(unchecked: header.payload).emit(
                operation: ARPOperation.request, senderMAC: mac, senderAddress: address, targetMAC: .zero,
                targetAddress: address)
            counters.countMade()
            _ = outbox.send(frame)
        }
    }
}
