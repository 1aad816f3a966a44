import Wire

/// Ethernet frames of 60 bytes (64 with their checksum): IPv4 with UDP or TCP, all checksums right; of IPv6 with UDP the
/// shortest, 62 bytes.
struct FrameBuilder {
    var isV6: Bool
    var transport: TrafficTransport
    var sourceMAC: MACAddress
    var destinationMAC: MACAddress

    /// Bytes of a frame.
    static func length(isV6: Bool) -> Int { isV6 ? 62 : 60 }

    /// Write a frame to `bytes`, as long as it. Addresses are IPv4's, or the IPv6 ones of the same number.
    func write(
        to bytes: PacketBytes, source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16,
        flags: UInt8
    ) {
        let ethernet = EthernetHeader(unchecked: bytes)
        ethernet.destination = destinationMAC
        ethernet.source = sourceMAC
        ethernet.type = isV6 ? EtherType.ipv6 : EtherType.ipv4
        let packet = bytes.dropping(EthernetHeader.length)
        let number = transport == .udp ? IPProtocol.udp : IPProtocol.tcp
        let (source, destination) = (source.numbered(isV6: isV6), destination.numbered(isV6: isV6))
        let segment: PacketBytes
        if isV6 {
            let header = IPv6Header(unchecked: packet)
            header.emit(
                trafficClass: 0, flowLabel: 0, payloadLength: packet.count - IPv6Header.length, nextHeader: number,
                hopLimit: 64, source: source, destination: destination)
            segment = header.payload
        } else {
            let header = IPv4Header(unchecked: packet)
            header.emit(
                typeOfService: 0, totalLength: packet.count, identification: 1, fragmentWord: IPv4Header.dontFragment,
                timeToLive: 64, transportProtocol: number, source: source, destination: destination)
            segment = header.payload
        }
        segment.zero(0, segment.count)
        segment.store(sourcePort, 0)
        segment.store(destinationPort, 2)
        switch transport {
        case .udp: segment.store(UInt16(segment.count), 4)
        case .tcp:
            segment[12] = 0x50
            segment[13] = flags
            segment.store(UInt16(0xffff), 14)
        }
        TransportChecksum.fill(
            segment, at: transport == .udp ? UDPHeader.checksumOffset : TCPHeader.checksumOffset, source: source,
            destination: destination, transportProtocol: number)
    }
}

extension IPAddress {
    /// The same, or an IPv6 address with the number of this IPv4 address: 198.18.2.11 is 2001:db8:c6:1202::b, so that a
    /// network of one family is one of the other.
    func numbered(isV6: Bool) -> IPAddress {
        isV6 ? IPAddress(high: 0x2001_0db8_0000_0000 | UInt64(v4 >> 8), low: UInt64(v4 & 0xff)) : self
    }
}
