public import Wire

/// What became of reading a packet.
public enum Classification: Sendable {
    /// The description is filled.
    case packet
    /// Headers that contradict each other or the frame.
    case broken(DropReason)
}

/// Reads a packet into a description: the checks a host makes on receipt, then addresses, ports and flags.
public enum Classify {
    /// Read the packet whose network header is at `networkOffset` of `bytes`. Bytes beyond the packet's end may follow.
    @inlinable @inline(__always)
    public static func v4(
        _ bytes: PacketBytes, at networkOffset: Int, into description: inout PacketDescription
    ) -> Classification {
        guard let header = IPv4Header(bytes.dropping(networkOffset)) else { return .broken(.truncated) }
        guard header.hasValidChecksum else { return .broken(.badHeaderChecksum) }
        description.networkOffset = networkOffset
        let headerLength = header.headerLength
        description.transportOffset = networkOffset &+ headerLength
        description.networkLength = header.totalLength
        description.timeToLive = header.timeToLive
        description.hasOptions = headerLength > IPv4Header.minimumLength
        let fragment = header.fragmentWord
        description.doesNotFragment = fragment & IPv4Header.dontFragment != 0
        description.isFragment = fragment & (IPv4Header.moreFragments | IPv4Header.offsetMask) != 0
        description.fragmentOffset = Int(fragment & IPv4Header.offsetMask) &* 8
        description.fragmentHeaderOffset = 0
        description.key.source = header.source
        description.key.destination = header.destination
        description.key.transportProtocol = header.transportProtocol
        transport(bytes, into: &description)
        return .packet
    }

    /// As `v4`, for IPv6: extension headers are skipped up to the transport header.
    @inlinable
    public static func v6(
        _ bytes: PacketBytes, at networkOffset: Int, into description: inout PacketDescription
    ) -> Classification {
        guard let header = IPv6Header(bytes.dropping(networkOffset)) else { return .broken(.truncated) }
        guard !header.carriesMappedAddress else { return .broken(.martianSource) }
        description.networkOffset = networkOffset
        description.networkLength = header.totalLength
        description.timeToLive = header.hopLimit
        description.hasOptions = false
        description.doesNotFragment = true
        description.isFragment = false
        description.fragmentOffset = 0
        description.fragmentHeaderOffset = 0
        description.key.source = header.source
        description.key.destination = header.destination
        guard let found = header.findTransport() else { return .broken(.truncated) }
        description.transportOffset = networkOffset &+ found.offset
        description.key.transportProtocol = found.transportProtocol
        if let offset = found.fragmentHeaderOffset {
            let fragment = IPv6Fragment(unchecked: bytes.dropping(networkOffset &+ offset))
            description.fragmentHeaderOffset = networkOffset &+ offset
            description.isFragment = !fragment.isAtomic
            description.fragmentOffset = fragment.fragmentOffset
        }
        transport(bytes, into: &description)
        return .packet
    }

    /// The key of a frame that is IPv4 without options and has room for ports; nil for any other. Nothing is checked: for
    /// hints only.
    @inlinable @inline(__always)
    public static func plainV4(_ bytes: PacketBytes) -> FlowKey? {
        let network = EthernetHeader.length
        guard bytes.count >= network &+ IPv4Header.minimumLength &+ 4, bytes[network] == 0x45,
            EthernetHeader(unchecked: bytes).type == EtherType.ipv4
        else { return nil }
        let header = IPv4Header(unchecked: bytes.dropping(network))
        let ports: UInt32 = bytes.load(network &+ IPv4Header.minimumLength)
        return FlowKey(
            source: header.source, destination: header.destination, sourcePort: UInt16(truncatingIfNeeded: ports >> 16),
            destinationPort: UInt16(truncatingIfNeeded: ports), transportProtocol: header.transportProtocol)
    }

    /// The key of a frame that is IPv6 without extension headers and has room for ports; nil for any other. Nothing is
    /// checked: for hints only.
    @inlinable @inline(__always)
    public static func plainV6(_ bytes: PacketBytes) -> FlowKey? {
        let network = EthernetHeader.length
        guard bytes.count >= network &+ IPv6Header.length &+ 4, EthernetHeader(unchecked: bytes).type == EtherType.ipv6
        else { return nil }
        let header = IPv6Header(unchecked: bytes.dropping(network))
        let ports: UInt32 = bytes.load(network &+ IPv6Header.length)
        return FlowKey(
            source: header.source, destination: header.destination, sourcePort: UInt16(truncatingIfNeeded: ports >> 16),
            destinationPort: UInt16(truncatingIfNeeded: ports), transportProtocol: header.nextHeader)
    }

    @inlinable @inline(__always)
    static func transport(_ bytes: PacketBytes, into description: inout PacketDescription) {
        description.flags = TCPFlags(rawValue: 0)
        description.key.sourcePort = 0
        description.key.destinationPort = 0
        description.hasTransport = false
        guard description.fragmentOffset == 0 else { return }
        let offset = description.transportOffset
        let length = description.transportLength
        switch description.key.transportProtocol {
        case IPProtocol.tcp:
            guard length >= 4 else { return }
            ports(bytes, offset, into: &description)
            guard length >= TCPHeader.minimumLength else { return }
            description.flags = TCPFlags(rawValue: bytes[offset &+ 13])
        case IPProtocol.udp:
            guard length >= UDPHeader.length else { return }
            ports(bytes, offset, into: &description)
        case IPProtocol.sctp:
            guard length >= SCTPHeader.length else { return }
            ports(bytes, offset, into: &description)
        case IPProtocol.icmp, IPProtocol.icmpv6:
            guard length >= ICMPHeader.length else { return }
        default:
            return
        }
        description.hasTransport = true
    }

    @inlinable @inline(__always)
    static func ports(_ bytes: PacketBytes, _ offset: Int, into description: inout PacketDescription) {
        let both: UInt32 = bytes.load(offset)
        description.key.sourcePort = UInt16(truncatingIfNeeded: both >> 16)
        description.key.destinationPort = UInt16(truncatingIfNeeded: both)
    }
}
