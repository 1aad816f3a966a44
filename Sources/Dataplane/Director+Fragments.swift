import Balancer
import Wire

/// Packets that leave in pieces: fragments where they are too long for the way out or came in fragments
/// (`net/ipv4/ip_output.c`, `net/ipv6/ip6_output.c`), segments where no device cuts a super-frame.
///
/// Either all pieces are sent or none.
extension Director {
    /// Send a packet, whose Ethernet header is ready, in fragments: a datagram that came in fragments in those of the
    /// original sizes where they fit, and never in larger ones than it came in; any other in fragments of `mtu` bytes.
    ///
    /// - Parameter ends: received frames that end with the packet.
    mutating func transmitInFragments(
        _ frame: Frame, _ packet: PacketDescription, _ hop: inout Hop, mtu: Int, ends: Int
    ) {
        completeChecksum(frame, packet)
        let identification = packet.isV4 ? 0 : UInt32(truncatingIfNeeded: nextRandom())
        var cut = Fragmentation(
            frame.bytes, networkOffset: packet.networkOffset, networkLength: packet.networkLength, isV4: packet.isV4,
            identification: identification)
        var largest = mtu
        if let datagram = datagramAtHand {
            let original = fragments.largest(datagram)
            largest = min(mtu, packet.isV4 ? original : max(original, Self.leastV6MTU))
            if keepsSizes(datagram, cut, mtu: largest) {
                return transmitInOriginalFragments(frame, cut, datagram, &hop, ends: ends)
            }
            // Only where it is cut anew does the kernel let the fragments have the DF bit that they came with.
            cut.keepsDontFragment = true
        }
        let step = cut.step(mtu: largest)
        guard step > 0 else { return drop(.tooBig, &hop, ends: ends) }
        let pieces = (cut.payloadLength &+ step &- 1) / step
        guard outbox.hasRoom(for: pieces, of: cut.frameLength(step)) else { return drop(.noBuffer, &hop, ends: ends) }
        var offset = 0
        while offset < cut.payloadLength {
            let length = min(step, cut.payloadLength &- offset)
            transmitFragment(frame, cut, offset, length, &hop, ends: offset == 0 ? ends : 0)
            offset &+= length
        }
        counters.countMade(pieces)
    }

    /// IPv6's smallest MTU (RFC 8200 §5).
    static var leastV6MTU: Int { 1280 }

    /// Whether the packet may be cut where it was cut before: what was put before it goes into the first fragment.
    func keepsSizes(_ datagram: Int, _ cut: Fragmentation, mtu: Int) -> Bool {
        let room = mtu &- cut.headerLength
        let count = fragments.fragmentCount(datagram)
        var index = 0
        while index < count {
            let length = originalLength(datagram, index, cut)
            if length > room || length & 7 != 0 && index < count &- 1 { return false }
            index &+= 1
        }
        return true
    }

    /// Bytes of fragment `index` of a packet that is cut where it was cut before.
    func originalLength(_ datagram: Int, _ index: Int, _ cut: Fragmentation) -> Int {
        let added = index == 0 ? cut.payloadLength &- fragments.payloadLength(datagram) : 0
        return fragments.length(datagram, index) &+ added
    }

    private mutating func transmitInOriginalFragments(
        _ frame: Frame, _ cut: Fragmentation, _ datagram: Int, _ hop: inout Hop, ends: Int
    ) {
        let count = fragments.fragmentCount(datagram)
        let room = fragments.largest(datagram) &+ EthernetHeader.length &+ Frame.headroom
        guard outbox.hasRoom(for: count, of: room) else { return drop(.noBuffer, &hop, ends: ends) }
        var offset = 0
        var index = 0
        while index < count {
            let length = originalLength(datagram, index, cut)
            transmitFragment(frame, cut, offset, length, &hop, ends: index == 0 ? ends : 0)
            offset &+= length
            index &+= 1
        }
        counters.countMade(count)
    }

    private mutating func transmitFragment(
        _ frame: Frame, _ cut: Fragmentation, _ offset: Int, _ length: Int, _ hop: inout Hop, ends: Int
    ) {
        guard var piece = outbox.make(cut.frameLength(length)) else { return drop(.noBuffer, &hop, ends: ends) }
        piece.length = cut.frameLength(length)
        piece.interface = frame.interface
        cut.write(offset: offset, length: length, to: piece.bytes)
        dispatch(piece, &hop, ends: ends)
    }

    /// Send a super-frame, whose Ethernet header is ready, in the frames that a device would have made of it; each in
    /// fragments where it is longer than `mtu` all the same.
    mutating func transmitInSegments(_ frame: Frame, _ packet: PacketDescription, _ hop: inout Hop, mtu: Int) {
        guard let cut = Segmentation(frame.bytes, packet, frame.offload) else {
            return drop(.cannotEncapsulate, &hop, ends: framesAtHand)
        }
        guard outbox.hasRoom(for: cut.count, of: cut.length(0)) else {
            return drop(.noBuffer, &hop, ends: framesAtHand)
        }
        var index = 0
        while index < cut.count {
            let ends = index == 0 ? framesAtHand : 0
            guard let segment = makeSegment(cut, index, frame.interface) else {
                return drop(.noBuffer, &hop, ends: ends)
            }
            var description = packet
            description.networkLength = segment.length &- packet.networkOffset
            if description.networkLength > mtu {
                transmitInFragments(segment, description, &hop, mtu: mtu, ends: ends)
            } else {
                dispatch(segment, &hop, ends: ends)
            }
            index &+= 1
        }
    }

    /// A frame of its own with one segment of a super-frame.
    mutating func makeSegment(_ cut: Segmentation, _ index: Int, _ interface: Int) -> Frame? {
        let length = cut.length(index)
        guard var segment = outbox.make(length) else { return nil }
        segment.length = length
        segment.interface = interface
        cut.write(index, to: segment.bytes)
        counters.countMade()
        return segment
    }

    /// Make a partial transport checksum complete, for frames whose bytes are cut or wrapped.
    func completeChecksum(_ frame: Frame, _ packet: PacketDescription) {
        guard frame.offload.needsChecksum else { return }
        let transport = frame.bytes.prefix(packet.networkOffset &+ packet.networkLength)
            .dropping(Int(frame.offload.checksumStart))
        TransportChecksum.complete(
            transport, at: Int(frame.offload.checksumOffset), isUDP: packet.transportProtocol == IPProtocol.udp)
    }
}
