public import Wire

/// Cuts a super-frame into the frames that a device would have made of it, for ways out that no device cuts for, e.g. into
/// a tunnel (`net/ipv4/tcp_offload.c`, `tcp_gso_segment`; `net/ipv4/udp_offload.c`, `__udp_gso_segment`).
///
/// Of TCP each segment has its sequence number; FIN and PSH are on the last only, CWR on the first only. Of UDP each
/// datagram has its length. IPv4 ids count up. Every checksum is complete, but a UDP checksum that its sender left out.
public struct Segmentation {
    private let bytes: PacketBytes
    private let networkOffset: Int
    private let transportOffset: Int
    /// Bytes of all headers, Ethernet's among them.
    public let headerLength: Int
    /// Bytes of payload in each segment but the last.
    public let segmentSize: Int
    /// Number of segments.
    public let count: Int
    private let isV4: Bool
    private let isTCP: Bool
    private let hasChecksum: Bool

    /// Look at a super-frame; nil when it is none of TCP or UDP by datagram, or its headers do not fit its facts.
    /// - Parameter bytes: the frame.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public init?(_ bytes: PacketBytes, _ packet: PacketDescription, _ offload: OffloadFacts) {
        let kind = offload.segmentation & ~OffloadFacts.Segmentation.ecn
        let end = packet.networkOffset &+ packet.networkLength
        guard packet.hasTransport, !packet.isFragment, offload.segmentSize > 0, end <= bytes.count else { return nil }
        self.bytes = bytes.prefix(end)
        networkOffset = packet.networkOffset
        transportOffset = packet.transportOffset
        isV4 = packet.isV4
        segmentSize = Int(offload.segmentSize)
        let transport = self.bytes.dropping(transportOffset)
        switch packet.transportProtocol {
        case IPProtocol.tcp:
            guard kind == (isV4 ? OffloadFacts.Segmentation.tcpv4 : OffloadFacts.Segmentation.tcpv6),
                let header = TCPHeader(transport)
            else { return nil }
            isTCP = true
            headerLength = transportOffset &+ header.headerLength
            hasChecksum = true
        case IPProtocol.udp:
            guard kind == OffloadFacts.Segmentation.udpL4 else { return nil }
            isTCP = false
            headerLength = transportOffset &+ UDPHeader.length
            hasChecksum = offload.needsChecksum || UDPHeader(unchecked: transport).hasChecksum
        default:
            return nil
        }
        let payload = end &- headerLength
        guard payload > 0 else { return nil }
        count = (payload &+ segmentSize &- 1) / segmentSize
    }

    private func payloadLength(_ index: Int) -> Int {
        min(segmentSize, bytes.count &- headerLength &- index &* segmentSize)
    }

    /// Length of the frame with segment `index`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func length(_ index: Int) -> Int { headerLength &+ payloadLength(index) }

    /// Write the frame with segment `index`.
    /// - Parameter output: room for `length(index)` bytes.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func write(_ index: Int, to output: PacketBytes) {
        let start = index &* segmentSize
        let length = length(index)
        output.copy(from: bytes.prefix(headerLength))
        output.copy(from: bytes.dropping(headerLength &+ start).prefix(payloadLength(index)), to: headerLength)
        let network = output.dropping(networkOffset)
        let source: IPAddress
        let destination: IPAddress
        if isV4 {
            let header = IPv4Header(unchecked: network)
            header.setTotalLength(length &- networkOffset)
            header.setIdentification(header.identification &+ UInt16(truncatingIfNeeded: index))
            (source, destination) = (header.source, header.destination)
        } else {
            let header = IPv6Header(unchecked: network)
            header.payloadLength = length &- networkOffset &- IPv6Header.length
            (source, destination) = (header.source, header.destination)
        }
        let transport = output.prefix(length).dropping(transportOffset)
        if isTCP {
            writeTCP(TCPHeader(unchecked: transport), index)
        } else {
            UDPHeader(unchecked: transport).datagramLength = transport.count
        }
        guard hasChecksum else { return }
        TransportChecksum.fill(
            transport, at: isTCP ? TCPHeader.checksumOffset : UDPHeader.checksumOffset, source: source,
            destination: destination, transportProtocol: isTCP ? IPProtocol.tcp : IPProtocol.udp)
    }

    private func writeTCP(_ header: TCPHeader, _ index: Int) {
        header.sequence = header.sequence &+ UInt32(truncatingIfNeeded: index &* segmentSize)
        var flags = header.flags.rawValue
        if index < count &- 1 { flags &= ~(TCPFlags.fin.rawValue | TCPFlags.psh.rawValue) }
        if index > 0 { flags &= ~TCPFlags.cwr.rawValue }
        header.flags = TCPFlags(rawValue: flags)
    }
}
