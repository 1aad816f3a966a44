/// Partial checksums that come without a header that says so.
extension OffloadFacts {
    /// Set the facts as a virtio-net header would have, where the transport checksum of a TCP or UDP packet is the bare
    /// sum of its pseudo-header: what a sender leaves that counts on its device to add the rest, and an AF_XDP socket on
    /// a veth pair hands over as it is. `frame` begins with its Ethernet header.
    ///
    /// A complete checksum may have that value by chance. Completing it again gives the same value, so nothing is lost.
    @inlinable
    public mutating func recognizePartialChecksum(in frame: PacketBytes) {
        guard let ethernet = EthernetHeader(frame) else { return }
        if ethernet.type == EtherType.ipv4 {
            guard let header = IPv4Header(ethernet.payload), !header.isFragment,
                header.totalLength >= header.headerLength, header.totalLength <= ethernet.payload.count
            else { return }
            recognize(
                ethernet.payload.prefix(header.totalLength).dropping(header.headerLength),
                header.transportProtocol, header.source, header.destination,
                start: EthernetHeader.length &+ header.headerLength)
        } else if ethernet.type == EtherType.ipv6 {
            guard let header = IPv6Header(ethernet.payload),
                IPv6Header.length &+ header.payloadLength <= ethernet.payload.count
            else { return }
            recognize(
                ethernet.payload.prefix(IPv6Header.length &+ header.payloadLength).dropping(IPv6Header.length),
                header.nextHeader, header.source, header.destination,
                start: EthernetHeader.length &+ IPv6Header.length)
        }
    }

    @inlinable
    mutating func recognize(
        _ transport: PacketBytes, _ transportProtocol: UInt8, _ source: IPAddress, _ destination: IPAddress, start: Int
    ) {
        let offset: Int
        if transportProtocol == IPProtocol.tcp, transport.count >= TCPHeader.minimumLength {
            offset = TCPHeader.checksumOffset
        } else if transportProtocol == IPProtocol.udp, transport.count >= UDPHeader.length {
            offset = UDPHeader.checksumOffset
        } else {
            return
        }
        let found: UInt16 = transport.loadRaw(offset)
        let bare = Checksum.fold(
            Checksum.pseudoHeader(source, destination, transportProtocol: transportProtocol, length: transport.count))
        guard found == bare else { return }
        needsChecksum = true
        checksumStart = UInt16(truncatingIfNeeded: start)
        checksumOffset = UInt16(truncatingIfNeeded: offset)
    }
}
