import Wire

extension PacketBuilder {
    /// Whether the packet is IPv6.
    public var isV6: Bool { !source.address.isV4 }

    /// The number of the transport protocol.
    public var transportProtocol: UInt8 {
        switch transport {
        case .tcp: IPProtocol.tcp
        case .udp: IPProtocol.udp
        case .sctp: IPProtocol.sctp
        case .icmp: isV6 ? IPProtocol.icmpv6 : IPProtocol.icmp
        case .other(let number): number
        }
    }

    /// The Ethernet frame.
    public func frame() -> [UInt8] { frame(packet()) }

    /// The IP packet.
    public func packet() -> [UInt8] { packet(segment(), fragmentOffset: nil, hasMoreFragments: false) }

    /// The transport header and payload.
    public func segment() -> [UInt8] {
        let ports = source.port.networkBytes + destination.port.networkBytes
        switch transport {
        case .tcp(let flags):
            let header =
                ports + sequence.networkBytes + acknowledgement.networkBytes
                + [UInt8(20 + transportOptions.count) << 2, flags.rawValue] + window.networkBytes + [0, 0, 0, 0]
            return checksummed(header + transportOptions + payload, at: 16, hasPseudoHeader: true)
        case .udp:
            let header = ports + UInt16(truncatingIfNeeded: 8 + payload.count).networkBytes + [0, 0]
            return checksummed(header + payload, at: 6, hasPseudoHeader: true)
        case .icmp(let type, let code, let rest):
            return checksummed([type, code, 0, 0] + rest.networkBytes + payload, at: 2, hasPseudoHeader: isV6)
        case .sctp:
            var bytes = ports + verificationTag.networkBytes + [0, 0, 0, 0] + payload
            var crc = ReferenceChecksum.crc32c(bytes)
            if case .wrong = transportChecksum { crc &+= 1 }
            if case .zero = transportChecksum { crc = 0 }
            bytes.replaceSubrange(8..<12, with: crc.networkBytes.reversed())
            return bytes
        case .other:
            return payload
        }
    }

    /// The frames of the packet cut into fragments that carry `size` bytes at most, a multiple of eight.
    public func fragments(size: Int) -> [[UInt8]] {
        precondition(size > 0 && size % 8 == 0, "fragments carry a multiple of eight bytes")
        let whole = segment()
        return stride(from: 0, to: whole.count, by: size).map { offset in
            let end = min(offset + size, whole.count)
            return frame(
                packet(Array(whole[offset..<end]), fragmentOffset: offset, hasMoreFragments: end < whole.count))
        }
    }

    private func frame(_ packet: [UInt8]) -> [UInt8] {
        let type = isV6 ? EtherType.ipv6 : EtherType.ipv4
        return destinationMAC.wireBytes + sourceMAC.wireBytes + type.networkBytes + packet
            + [UInt8](repeating: 0, count: padding)
    }

    private func packet(_ segment: [UInt8], fragmentOffset: Int?, hasMoreFragments: Bool) -> [UInt8] {
        isV6
            ? packetV6(segment, fragmentOffset: fragmentOffset, hasMoreFragments: hasMoreFragments)
            : packetV4(segment, fragmentOffset: fragmentOffset, hasMoreFragments: hasMoreFragments)
    }

    private func packetV4(_ segment: [UInt8], fragmentOffset: Int?, hasMoreFragments: Bool) -> [UInt8] {
        var word = UInt16((fragmentOffset ?? 0) / 8)
        if hasMoreFragments { word |= 0x2000 }
        if doesNotFragment, fragmentOffset == nil { word |= 0x4000 }
        let length = 20 + options.count
        var header = [0x40 | UInt8(length / 4), typeOfService]
        header += UInt16(truncatingIfNeeded: length + segment.count).networkBytes
        header += identification.networkBytes + word.networkBytes
        header += [timeToLive, transportProtocol, 0, 0]
        header += source.address.wireBytes + destination.address.wireBytes + options
        var sum = ReferenceChecksum.internet(header)
        if case .wrong = headerChecksum { sum &+= 1 }
        if case .zero = headerChecksum { sum = 0 }
        header.replaceSubrange(10..<12, with: sum.networkBytes)
        return header + segment
    }

    private func packetV6(_ segment: [UInt8], fragmentOffset: Int?, hasMoreFragments: Bool) -> [UInt8] {
        var headers = extensionHeaders
        if let fragmentOffset {
            let word = UInt16(fragmentOffset) | (hasMoreFragments ? 1 : 0)
            headers.append(
                (IPProtocol.fragment, [0, 0] + word.networkBytes + UInt32(identification).networkBytes))
        }
        let kinds = headers.map(\.0) + [transportProtocol]
        let extensions = headers.enumerated().flatMap { index, header in [kinds[index + 1]] + header.1.dropFirst() }
        let first = 6 << 28 | UInt32(typeOfService) << 20 | flowLabel
        return first.networkBytes + UInt16(truncatingIfNeeded: extensions.count + segment.count).networkBytes
            + [kinds[0], timeToLive] + source.address.wireBytes + destination.address.wireBytes + extensions + segment
    }

    private func checksummed(_ segment: [UInt8], at offset: Int, hasPseudoHeader: Bool) -> [UInt8] {
        let pseudo =
            hasPseudoHeader
            ? ReferenceChecksum.pseudoHeader(
                source: source.address.wireBytes, destination: destination.address.wireBytes,
                transportProtocol: transportProtocol, length: segment.count)
            : []
        var sum: UInt16
        switch transportChecksum {
        case .zero:
            sum = 0
        case .partial:
            sum = ReferenceChecksum.sum(pseudo)
        case .right, .wrong:
            sum = ReferenceChecksum.internet(pseudo + segment)
            if case .udp = transport, sum == 0 { sum = 0xffff }
            if case .wrong = transportChecksum { sum &+= 1 }
        }
        var bytes = segment
        bytes.replaceSubrange(offset..<offset + 2, with: sum.networkBytes)
        return bytes
    }
}
