import Wire

/// Ethernet frames of 60 bytes (64 with their checksum): IPv4 with UDP or TCP, all checksums right.
struct FrameBuilder {
    static let length = 60
    var transport: TrafficTransport
    var sourceMAC: MACAddress
    var destinationMAC: MACAddress

    /// Write a frame to `bytes`, which has room for `length`.
    func write(
        to bytes: PacketBytes, source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16,
        flags: UInt8
    ) {
        let ethernet = EthernetHeader(unchecked: bytes)
        ethernet.destination = destinationMAC
        ethernet.source = sourceMAC
        ethernet.type = EtherType.ipv4
        let packet = bytes.dropping(EthernetHeader.length)
        let header = IPv4Header(unchecked: packet)
        let number = transport == .udp ? IPProtocol.udp : IPProtocol.tcp
        header.emit(
            typeOfService: 0, totalLength: packet.count, identification: 1, fragmentWord: IPv4Header.dontFragment,
            timeToLive: 64, transportProtocol: number, source: source, destination: destination)
        let segment = header.payload
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
