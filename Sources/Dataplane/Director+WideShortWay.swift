import Balancer
import Wire

/// The short way of IPv6, by NAT or direct routing (`Director+ShortWay.swift`).
extension Director {
    /// Forward `frame`, of IPv6, whose entry a glimpse of its hash showed. False: nothing was done, the packet is to go the
    /// long way.
    @inline(never)
    mutating func goWideShortWay(_ frame: inout Frame, _ glimpse: Glimpse) -> Bool {
        let bytes = frame.bytes
        guard let packet = WidePlainPacket(plainV6: bytes),
            EthernetHeader(unchecked: bytes).isTo(routing.interface(frame.interface).mac),
            Self.isOrdinary(frame.offload, WidePlainPacket.transportOffset, packet.checksumOffset),
            let entry = table.find(packet, glimpse), !isOurs(packet.source)
        else { return false }
        let isRequest = glimpse.isRequest
        let destination = slots.destination(entry.destinationSlot)
        // A request is one while its address is ours, and a service that has real servers has its address.
        guard destination.isServing,
            !isRequest || services.ownsVirtualAddresses || routing.isLocal(packet.destination),
            let timeout = steadyTimeout(entry, destination, isTCP: packet.isTCP, isRequest: isRequest)
        else { return false }
        let route = routing.route(to: isRequest ? entry.wideDestination : packet.destination)
        guard route.isUsable else { return false }
        let egress = routing.interface(route.interface)
        let neighbor = routing.neighbor(interface: route.interface, address: route.nextHop)
        guard neighbor.isUsable, packet.length <= (route.mtu > 0 ? route.mtu : egress.mtu) else { return false }

        // Nothing stops it from here on. Ethernet padding is cut.
        frame.length = EthernetHeader.length &+ packet.length
        frame.interface = route.interface
        count(entry, destination, length: packet.length, isRequest: isRequest)
        restart(entry, timeout)
        if entry.method == .masquerading {
            Masquerading.forward(bytes, packet, entry, frame.offload.checksumState, isRequest: isRequest)
        } else {
            IPv6Header(unchecked: bytes.dropping(EthernetHeader.length)).decrementHopLimit()
        }
        Ethernet.address(bytes, from: egress.mac, to: neighbor.mac)
        leave(&frame, WidePlainPacket.transportOffset, packet.checksumOffset, isTCP: packet.isTCP)
        return true
    }
}
