import Balancer
import Wire

/// The way to the real server: route, TTL, MTU, then the entry's method (`net/netfilter/ipvs/ip_vs_xmit.c`).
extension Director {
    @inline(__always)
    mutating func forward(_ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry) {
        if entry.isFullNAT { return forwardFullNAT(&frame, packet, entry) }
        let route = routing.route(to: entry.destination)
        if route.isLocal { return deliverLocally(&frame, packet, entry) }
        guard route.isUsable else { return refuse(&frame, packet, .hostUnreachable, .noRoute) }
        guard packet.timeToLive > 1 else { return refuse(&frame, packet, .timeExceeded, .timeToLive) }
        decrementTimeToLive(frame, packet)
        if entry.method == .tunneling { return encapsulate(&frame, packet, entry, route) }
        let mtu = mtu(route)
        let isTooBig = segmentLength(frame, packet) > mtu
        if isTooBig, packet.doesNotFragment {
            return refuse(&frame, packet, .tooBig(mtu: mtu), .tooBig)
        }
        guard var hop = hop(route, frame, packet, entry) else { return drop(.neighborQueueFull) }
        if entry.method == .masquerading {
            Masquerading.rewriteRequest(frame.bytes, packet, entry, frame.offload.checksumState)
            if let place = hop.place { requoteChecksum(place, frame, packet) }
        }
        transmit(&frame, packet, &hop, mtu: mtu)
    }

    /// The destination is an address of the director's own: the local stack gets the packet, rewritten as for a server.
    ///
    /// Live, the stack's own copy was kept from it by the guard, so it gets this one. What NAT rewrote it does not get: it
    /// would answer past the director.
    private mutating func deliverLocally(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry
    ) {
        if entry.method == .masquerading {
            Masquerading.rewriteRequest(frame.bytes, packet, entry, frame.offload.checksumState)
            return pass(frame)
        }
        guard hostSlot >= 0, routing.isLocal(packet.key.destination) else { return pass(frame) }
        handToHost(frame)
    }

    private mutating func handToHost(_ frame: Frame) {
        var own = frame
        if datagramAtHand != nil {
            guard let copy = outbox.copy(frame) else { return drop(.noBuffer) }
            own = copy
        }
        // The loopback interface's own address.
        EthernetHeader(unchecked: own.bytes).destination = .zero
        own.interface = hostSlot
        guard outbox.send(own) else { return drop(.noBuffer) }
        counters.count(.forward, framesAtHand)
        note(.handedToHost)
    }

    /// The error that waits with a packet quotes its headers as the client sent them, but the transport checksum as it
    /// was translated: the kernel restores the former only.
    private func requoteChecksum(_ place: Int, _ frame: Frame, _ packet: PacketDescription) {
        let field: Int
        switch packet.transportProtocol {
        case IPProtocol.tcp: field = TCPHeader.checksumOffset
        case IPProtocol.udp: field = UDPHeader.checksumOffset
        default: return
        }
        neighborQueue.patchQuote(
            place, isV4: packet.isV4, at: packet.transportOffset &- packet.networkOffset &+ field,
            with: frame.bytes.load(packet.transportOffset &+ field))
    }

    /// The MTU of the way out.
    @inline(__always)
    func mtu(_ route: RouteResult) -> Int {
        route.mtu > 0 ? route.mtu : routing.interface(route.interface).mtu
    }

    /// Length of the largest packet that this one becomes on the wire: of a super-frame, one segment with its headers.
    @inline(__always)
    func segmentLength(_ frame: Frame, _ packet: PacketDescription) -> Int {
        if frame.offload.isSuperFrame { return Self.superFrameSegment(frame, packet) }
        return packet.isV4 ? packet.networkLength : longestPiece(frame, packet)
    }

    /// Length of a super-frame's first segment. Static, as what borrows the director has a copy of it made.
    private static func superFrameSegment(_ frame: Frame, _ packet: PacketDescription) -> Int {
        let headers: Int
        switch packet.transportProtocol {
        case IPProtocol.tcp where packet.hasTransport:
            headers = TCPHeader(unchecked: frame.bytes.dropping(packet.transportOffset)).headerLength
        default: headers = UDPHeader.length
        }
        return packet.transportOffset &- packet.networkOffset &+ headers &+ Int(frame.offload.segmentSize)
    }

    /// As `segmentLength`, but a datagram that came in fragments is as long as the largest of these: IPv6 measures it so,
    /// and IPv4 on the way to a client, where each fragment was let through before they were put together.
    @inline(__always)
    func longestPiece(_ frame: Frame, _ packet: PacketDescription) -> Int {
        if let datagram = datagramAtHand { return fragments.largest(datagram) }
        return frame.offload.isSuperFrame ? Self.superFrameSegment(frame, packet) : packet.networkLength
    }

    // MARK: The next hop

    /// The next hop of a packet: its MAC, or a place in the queue of those that wait for it.
    struct Hop {
        var route: RouteResult
        var mac: MACAddress
        /// Whether the MAC is missing.
        var waits: Bool
        /// The place that was taken; the packet's first piece uses it up.
        var place: Int?
    }

    /// Find the next hop. Where its MAC is missing, a place in the queue is taken, with the error that the sender gets if
    /// nobody answers; the packet is not rewritten yet. Nil: the queue is full.
    @inline(__always)
    mutating func hop(
        _ route: RouteResult, _ frame: Frame, _ packet: PacketDescription, _ entry: ConnectionEntry?
    ) -> Hop? {
        let neighbor = routing.neighbor(interface: route.interface, address: route.nextHop)
        if neighbor.isUsable {
            note(.routed(route, neighbor.mac))
            return Hop(route: route, mac: neighbor.mac, waits: false, place: nil)
        }
        note(.waits(route))
        guard let place = neighborQueue.reserve(route, now: now) else { return nil }
        let back = routing.route(to: packet.key.source)
        if ICMPError.isAllowed(about: packet, frame.bytes), back.isUsable {
            // The kernel's error has the virtual address as its source but for IPv4 and DR, and for what it only forwards.
            var isFromVirtual = false
            if let entry { isFromVirtual = entry.method != .directRouting || !packet.isV4 }
            let source = isFromVirtual ? packet.key.destination : back.source
            let length = writeError(
                .hostUnreachable, about: frame, packet, source: source, to: neighborQueue.errorBytes(place))
            var slots: (service: UInt32, destination: UInt32)?
            if let entry { slots = (entry.serviceSlot, entry.destinationSlot) }
            neighborQueue.setError(place, length: length, route: back, slots: slots)
        }
        return Hop(route: route, mac: .zero, waits: true, place: place)
    }

    /// Send a packet that is ready, in pieces where it is too long, or queue it.
    @inline(__always)
    mutating func transmit(_ frame: inout Frame, _ packet: PacketDescription, _ hop: inout Hop, mtu: Int) {
        frame.interface = hop.route.interface
        if packet.hasOptions { recordRoute(frame, packet, hop) }
        Ethernet.address(frame.bytes, from: routing.interface(hop.route.interface).mac, to: hop.mac)
        let egress = UInt64(1) << UInt64(truncatingIfNeeded: hop.route.interface)
        if frame.offload.isSuperFrame {
            if egress & slotsWithoutSuperFrames != 0 || segmentLength(frame, packet) > mtu {
                return transmitInSegments(frame, packet, &hop, mtu: mtu)
            }
        } else if datagramAtHand != nil || packet.networkLength > mtu {
            return transmitInFragments(frame, packet, &hop, mtu: mtu, ends: framesAtHand)
        }
        if frame.offload.needsChecksum, egress & slotsWithoutPartialChecksums != 0 {
            completeChecksum(frame, packet)
            frame.offload.needsChecksum = false
        }
        dispatch(frame, &hop, ends: framesAtHand)
    }

    /// Record a packet's route where its options ask for it: the kernel records the address a packet was sent to while that
    /// is its own, else the way out's.
    func recordRoute(_ frame: Frame, _ packet: PacketDescription, _ hop: borrowing Hop) {
        let recorded = isOurs(packet.key.destination) ? packet.key.destination : hop.route.source
        IPv4Options.record(recorded, frame.bytes, packet)
    }

    /// Send a frame whose Ethernet header is ready, or have it wait for the next hop's MAC.
    /// - Parameter ends: received frames that end with it.
    @inline(__always)
    mutating func dispatch(_ frame: Frame, _ hop: inout Hop, ends: Int) {
        guard hop.waits else {
            guard outbox.send(frame) else { return drop(.noBuffer, &hop, ends: ends) }
            counters.count(.forward, ends)
            note(.sent(interface: frame.interface, length: frame.length))
            return
        }
        guard let place = hop.place ?? neighborQueue.reserve(hop.route, now: now) else {
            return drop(.neighborQueueFull, &hop, ends: ends)
        }
        hop.place = place
        guard neighborQueue.fill(place, with: frame, ends: ends) else { return drop(.noBuffer, &hop, ends: ends) }
        hop.place = nil
        counters.wait(ends)
    }

    /// End a frame that has a next hop, and give the place in its queue back.
    /// - Parameter ends: received frames that end with it.
    mutating func drop(_ reason: DropReason, _ hop: inout Hop, ends: Int) {
        if let place = hop.place { neighborQueue.cancel(place) }
        hop.place = nil
        counters.count(reason, ends)
        note(.drop(reason))
    }
}
