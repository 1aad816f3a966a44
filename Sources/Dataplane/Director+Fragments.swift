import Balancer
import Wire

/// Packets that are too long for the way out and may be cut (RFC 791 §3.2; `net/ipv4/ip_output.c`, `ip_do_fragment`).
extension Director {
    /// Send a packet, whose Ethernet header is ready, in fragments of at most `mtu` bytes.
    mutating func transmitInFragments(_ frame: Frame, _ packet: PacketDescription, mtu: Int) {
        completeChecksum(frame, packet)
        guard packet.isV4 else { return drop(.cannotEncapsulate) }
        let header = IPv4Header(unchecked: frame.bytes.dropping(packet.networkOffset))
        let headerLength = header.headerLength
        let step = (mtu &- headerLength) & ~7
        guard step > 0 else { return drop(.tooBig) }
        let payload = header.payload
        let word = header.fragmentWord
        var offset = 0
        while offset < payload.count {
            let length = min(step, payload.count &- offset)
            let isLast = offset &+ length == payload.count
            guard var piece = outbox.make(packet.networkOffset &+ headerLength &+ length) else {
                return drop(.noBuffer)
            }
            piece.length = packet.networkOffset &+ headerLength &+ length
            piece.interface = frame.interface
            let output = piece.bytes
            output.copy(from: frame.bytes.prefix(packet.networkOffset &+ headerLength))
            output.copy(from: payload.dropping(offset).prefix(length), to: packet.networkOffset &+ headerLength)
            let fragment = IPv4Header(unchecked: output.dropping(packet.networkOffset))
            fragment.setTotalLength(headerLength &+ length)
            let more = isLast ? word & IPv4Header.moreFragments : IPv4Header.moreFragments
            fragment.setFragmentWord(more | (word & IPv4Header.offsetMask) &+ UInt16(offset / 8))
            guard outbox.send(piece) else { return drop(.noBuffer) }
            counters.countMade()
            offset &+= length
        }
        counters.count(.forward)
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
