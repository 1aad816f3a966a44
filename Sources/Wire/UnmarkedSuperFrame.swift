/// Super-frames that come without a header that says so.
extension OffloadFacts {
    /// Set the facts as a virtio-net header would have, where a whole TCP packet is longer than the interface's `mtu`:
    /// libpcap hands over what receive offload joined, or what a sender left for a device to cut, and does not tell. Its
    /// segment size is not known, and were ours larger, a sender that has adapted to a narrow path would be told to do what
    /// it has done: segments are made to fit into packets of 1,280 bytes, which every IPv6 path carries (RFC 8200 §5). Other
    /// packets that are too long stay as they are. `frame` begins with its Ethernet header.
    public mutating func recognizeSuperFrame(in frame: PacketBytes, mtu: Int) {
        guard !isSuperFrame, frame.count > EthernetHeader.length &+ mtu, let ethernet = EthernetHeader(frame) else {
            return
        }
        let transport: Int
        let kind: UInt8
        if ethernet.type == EtherType.ipv4 {
            guard let header = IPv4Header(ethernet.payload), !header.isFragment,
                header.transportProtocol == IPProtocol.tcp, header.totalLength > mtu,
                header.totalLength <= ethernet.payload.count
            else { return }
            transport = header.headerLength
            kind = Segmentation.tcpv4
        } else if ethernet.type == EtherType.ipv6 {
            guard let header = IPv6Header(ethernet.payload), header.nextHeader == IPProtocol.tcp,
                IPv6Header.length &+ header.payloadLength > mtu,
                IPv6Header.length &+ header.payloadLength <= ethernet.payload.count
            else { return }
            transport = IPv6Header.length
            kind = Segmentation.tcpv6
        } else {
            return
        }
        guard let header = TCPHeader(ethernet.payload.dropping(transport)) else { return }
        let headers = transport &+ header.headerLength
        let room = min(mtu, 1280)
        guard headers < room else { return }
        segmentation = kind
        segmentSize = UInt16(truncatingIfNeeded: room &- headers)
        headerLength = UInt16(truncatingIfNeeded: EthernetHeader.length &+ headers)
        // Its length is not the one that each segment's checksum is to cover, so the whole's has no meaning.
        guard !needsChecksum else { return }
        needsChecksum = true
        checksumStart = UInt16(truncatingIfNeeded: EthernetHeader.length &+ transport)
        checksumOffset = UInt16(truncatingIfNeeded: TCPHeader.checksumOffset)
    }
}
