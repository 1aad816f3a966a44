import Balancer
import Wire

/// From the frame to the packet: what a host checks on receipt, then whether the packet is to or through the director.
extension Director {
    @inline(never)
    mutating func receive(_ frame: inout Frame) {
        guard let ethernet = EthernetHeader(frame.bytes) else { return drop(.truncated) }
        let mac = ethernet.destination
        guard mac.isGroup || mac == routing.interface(frame.interface).mac else { return drop(.notOurMAC) }
        switch ethernet.type {
        case EtherType.ipv4: receiveV4(&frame, isGroup: mac.isGroup)
        case EtherType.ipv6: receiveV6(&frame, isGroup: mac.isGroup)
        default: pass(frame)
        }
    }

    @inline(__always)
    private mutating func receiveV4(_ frame: inout Frame, isGroup: Bool) {
        var packet = PacketDescription()
        switch Classify.v4(frame.bytes, at: EthernetHeader.length, into: &packet) {
        case .broken(let reason): return drop(reason)
        case .packet: break
        }
        // Ethernet padding is cut.
        frame.length = packet.networkOffset &+ packet.networkLength
        let source = packet.key.source.v4
        guard source >> 24 != 127, source != 0, source != 0xffff_ffff, source >> 28 != 0xe else {
            return drop(.martianSource)
        }
        if packet.hasOptions {
            switch IPv4Options.inspect(frame.bytes, packet) {
            case .sourceRoute: return drop(.sourceRoute)
            case .broken(let place):
                // Live, the host's stack tells the sender.
                if isWholeHost { sendError(.parameterProblem(at: place), about: frame, packet) }
                return drop(.truncated)
            case .plain: break
            }
        }
        accept(&frame, &packet, isGroup: isGroup)
    }

    @inline(never)
    private mutating func receiveV6(_ frame: inout Frame, isGroup: Bool) {
        var packet = PacketDescription()
        switch Classify.v6(frame.bytes, at: EthernetHeader.length, into: &packet) {
        case .broken(let reason): return drop(reason)
        case .packet: break
        }
        frame.length = packet.networkOffset &+ packet.networkLength
        guard !packet.key.source.isMulticast, !packet.key.source.isLoopback else { return drop(.martianSource) }
        accept(&frame, &packet, isGroup: isGroup)
    }

    @inline(__always)
    private mutating func accept(_ frame: inout Frame, _ packet: inout PacketDescription, isGroup: Bool) {
        guard !isGroup, !packet.key.destination.isMulticast else { return pass(frame) }
        // A real server on the host itself answers with an address of the host.
        guard !isOurs(packet.key.source) || isOfHost(frame) else { return drop(.martianSource) }
        if frame.offload.needsChecksum, !Self.isRewritable(frame.offload, packet) {
            guard Self.completeForeignChecksum(&frame, packet) else { return drop(.truncated) }
        }
        if packet.isFragment, isGathered(packet) { return gather(frame, packet) }
        admit(&frame, &packet)
    }

    /// Whether a partial checksum is that of the packet's own TCP or UDP header, which is adjusted as addresses change.
    @inline(__always)
    private static func isRewritable(_ offload: OffloadFacts, _ packet: PacketDescription) -> Bool {
        guard packet.hasTransport, !packet.isFragment, Int(offload.checksumStart) == packet.transportOffset else {
            return false
        }
        switch packet.transportProtocol {
        case IPProtocol.tcp: return Int(offload.checksumOffset) == TCPHeader.checksumOffset
        case IPProtocol.udp: return Int(offload.checksumOffset) == UDPHeader.checksumOffset
        default: return false
        }
    }

    /// Complete any other partial checksum before anything else: SCTP's, which the virtio-net header cannot tell from a sum,
    /// and one of a packet inside this one. False: it lies outside the packet.
    @inline(never)
    private static func completeForeignChecksum(_ frame: inout Frame, _ packet: PacketDescription) -> Bool {
        let end = packet.networkOffset &+ packet.networkLength
        let start = Int(frame.offload.checksumStart)
        let field = Int(frame.offload.checksumOffset)
        guard start >= packet.transportOffset, start &+ field &+ 2 <= end else { return false }
        let covered = frame.bytes.prefix(end).dropping(start)
        if packet.transportProtocol == IPProtocol.sctp, packet.hasTransport, start == packet.transportOffset {
            SCTPHeader(unchecked: covered).fillChecksum()
        } else {
            // UDP alone has a field at this place, and no sum of 0.
            TransportChecksum.complete(covered, at: field, isUDP: field == UDPHeader.checksumOffset)
        }
        frame.offload.needsChecksum = false
        return true
    }

    /// Whether there are services of the packet's family. Without, the director is no part of its way.
    @inline(__always)
    func isBalanced(_ packet: PacketDescription) -> Bool {
        packet.isV4 ? services.countV4 > 0 : services.countV6 > 0
    }

    /// A packet that is whole, or a fragment that nobody gathers.
    @inline(__always)
    mutating func admit(_ frame: inout Frame, _ packet: inout PacketDescription) {
        if services.markCount > 0 { packet.mark = services.mark(of: packet.key, interface: frame.interface) }
        note(.received(packet))
        guard isBalanced(packet) else { return pass(frame) }
        if isOurs(packet.key.destination) || packet.mark != 0 && services.hasMark(packet.mark, isV4: packet.isV4) {
            localInput(&frame, packet)
        } else {
            transit(&frame, packet)
        }
    }

    /// Whether packets to `address` end at the director: an address of its host, or of a service.
    @inline(__always)
    func isOurs(_ address: IPAddress) -> Bool { routing.isLocal(address) || services.owns(address) }

    /// A packet to one of our addresses (`ip_vs_core.c`, `ip_vs_in_hook` at LOCAL_IN).
    @inline(__always)
    private mutating func localInput(_ frame: inout Frame, _ packet: PacketDescription) {
        if packet.isV4 ? packet.transportProtocol == IPProtocol.icmp : packet.transportProtocol == IPProtocol.icmpv6 {
            return icmpInput(&frame, packet)
        }
        guard let transport = Transport(packet.transportProtocol) else { return pass(frame) }
        guard packet.hasTransport else { return drop(.truncated) }
        let hash = table.hash(packet.key)
        let found = table.find(packet.key, hash: hash)
        if let found, found.direction == .reply {
            return reply(&frame, packet, found.entry, transport)
        }
        request(&frame, packet, found?.entry, transport)
    }

    /// A packet through us (`ip_vs_core.c`, `ip_vs_out_hook` at FORWARD).
    private mutating func transit(_ frame: inout Frame, _ packet: PacketDescription) {
        if packet.isV4 ? packet.transportProtocol == IPProtocol.icmp : packet.transportProtocol == IPProtocol.icmpv6 {
            return icmpTransit(&frame, packet)
        }
        guard let transport = Transport(packet.transportProtocol), packet.hasTransport else { return pass(frame) }
        if let found = table.find(packet.key, hash: table.hash(packet.key)), found.direction == .reply {
            return reply(&frame, packet, found.entry, transport)
        }
        if settings[.natIcmpSend] != 0, packet.timeToLive > 1, isStray(frame, packet, transport) {
            return refuse(&frame, packet, .portUnreachable, .strayReply, decremented: true)
        }
        pass(frame)
    }
}
