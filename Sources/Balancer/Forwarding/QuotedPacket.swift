public import Wire

/// The packet that an ICMP error quotes: at least its network header and its ports.
public struct QuotedPacket: Sendable {
    /// Its addresses, ports and protocol, seen from its sender.
    public var key: FlowKey
    /// Offset of its network header from the first byte of the frame.
    public var networkOffset: Int
    /// Offset of its transport header from the first byte of the frame.
    public var transportOffset: Int
    /// Whether its ports are there.
    public var hasPorts: Bool

    /// Read the packet quoted at `offset` of `bytes`; nil when even its network header is cut or not one, or it is a fragment
    /// without ports.
    @inlinable
    public init?(_ bytes: PacketBytes, at offset: Int, isV4: Bool) {
        guard offset <= bytes.count else { return nil }
        let quoted = bytes.dropping(offset)
        networkOffset = offset
        var ports = (UInt16(0), UInt16(0))
        if isV4 {
            guard quoted.count >= IPv4Header.minimumLength, quoted[0] >> 4 == 4 else { return nil }
            let header = IPv4Header(unchecked: quoted)
            guard header.headerLength >= IPv4Header.minimumLength, header.headerLength <= quoted.count,
                header.fragmentOffset == 0
            else { return nil }
            transportOffset = offset &+ header.headerLength
            hasPorts = transportOffset &+ 4 <= bytes.count
            if hasPorts { ports = (bytes.load(transportOffset), bytes.load(transportOffset &+ 2)) }
            key = FlowKey(
                source: header.source, destination: header.destination, sourcePort: ports.0, destinationPort: ports.1,
                transportProtocol: header.transportProtocol)
        } else {
            guard let header = IPv6Header(quoted: quoted), let found = header.findTransport() else { return nil }
            if let fragment = found.fragmentHeaderOffset {
                guard IPv6Fragment(unchecked: quoted.dropping(fragment)).fragmentOffset == 0 else { return nil }
            }
            transportOffset = offset &+ found.offset
            hasPorts = transportOffset &+ 4 <= bytes.count
            if hasPorts { ports = (bytes.load(transportOffset), bytes.load(transportOffset &+ 2)) }
            key = FlowKey(
                source: header.source, destination: header.destination, sourcePort: ports.0, destinationPort: ports.1,
                transportProtocol: found.transportProtocol)
        }
    }
}
