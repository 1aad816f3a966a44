public import Wire

/// ICMP errors about FULLNAT connections: outer addresses and quoted packet are translated together, and with NAT64 the
/// message too (RFC 7915 §4.2, §4.3, §5.2, §5.3; RFC 5508 §7.1).
public enum FullNATErrors {
    /// Translate an error from the client's side for the real server, of the same family: it quotes a packet virtual ->
    /// client.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func rewriteRequest(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        setPorts(bytes, quoted.transportOffset, entry.destinationPort, entry.localPort)
        rewrite(
            bytes, packet, quoted, source: entry.local, destination: entry.destination, innerSource: entry.destination,
            innerDestination: entry.local)
    }

    /// Translate an error from the servers' side for the client, of the same family: it quotes a packet local ->
    /// destination.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func rewriteReply(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, _ entry: ConnectionEntry
    ) {
        setPorts(bytes, quoted.transportOffset, entry.clientPort, entry.virtualPort)
        setSequence(bytes, quoted.transportOffset, end: packet.networkOffset &+ packet.networkLength, entry)
        let message = bytes.dropping(packet.transportOffset)
        let isTooBig =
            packet.isV4
            ? message[0] == ICMPType.destinationUnreachable && message[1] == ICMPCode.fragmentationNeeded
            : message[0] == ICMPv6Type.packetTooBig
        let rest: UInt32 = message.load(4)
        let room = UInt32(truncatingIfNeeded: added(entry))
        let mtu = packet.isV4 ? rest & 0xffff : rest
        if isTooBig, mtu > room { message.store(rest &- room, 4) }
        rewrite(
            bytes, packet, quoted, source: entry.virtual, destination: entry.client, innerSource: entry.client,
            innerDestination: entry.virtual)
    }

    private static func rewrite(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket, source: IPAddress,
        destination: IPAddress, innerSource: IPAddress, innerDestination: IPAddress
    ) {
        let network = bytes.dropping(packet.networkOffset)
        let inside = bytes.dropping(quoted.networkOffset)
        let message = bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.transportOffset)
        if packet.isV4 {
            let header = IPv4Header(unchecked: network)
            header.setSource(source)
            header.setDestination(destination)
            let quotedHeader = IPv4Header(unchecked: inside)
            quotedHeader.setSource(innerSource)
            quotedHeader.setDestination(innerDestination)
            quotedHeader.fillChecksum()
            ICMPHeader(unchecked: message).fillChecksum()
        } else {
            let header = IPv6Header(unchecked: network)
            header.setSource(source)
            header.setDestination(destination)
            let quotedHeader = IPv6Header(unchecked: inside)
            quotedHeader.setSource(innerSource)
            quotedHeader.setDestination(innerDestination)
            ICMPv6Header(unchecked: message).fillChecksum(source: source, destination: destination)
        }
    }

    private static func setPorts(_ bytes: PacketBytes, _ offset: Int, _ source: UInt16, _ destination: UInt16) {
        bytes.store(source, offset)
        bytes.store(destination, offset &+ 2)
    }

    /// A quoted segment's sequence number becomes the client's: a host that finds one it never sent ignores the error
    /// (RFC 5927 §4).
    private static func setSequence(_ bytes: PacketBytes, _ offset: Int, end: Int, _ entry: ConnectionEntry) {
        guard entry.transportProtocol == IPProtocol.tcp, offset &+ 8 <= end else { return }
        bytes.store(FullNAT.mapping(entry).clients(bytes.load(offset &+ 4)), offset &+ 4)
    }

    /// Bytes that the client's longest packets may grow by on their way: it is told of so much less room.
    private static func added(_ entry: ConnectionEntry) -> Int {
        switch entry.carrier {
        case .none: 0
        case .tcpOption: ClientAddress.optionLength(entry)
        case .proxyProtocol: entry.flags.contains(.headerArrived) ? 0 : ClientAddress.headerLength(entry)
        }
    }

    // MARK: NAT64

    /// Write the ICMPv6 error that an ICMP error from the servers' side is to the client.
    /// - Parameter output: room for `ICMPError.largest(isV4: false)` bytes, network header first.
    /// - Returns: the packet's length; nil when no ICMPv6 error says the same.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func translateReply(
        to output: PacketBytes, _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket,
        _ entry: ConnectionEntry
    ) -> Int? {
        let message = bytes.dropping(packet.transportOffset)
        guard let error = toV6(message[0], message[1], message.load(4), added: added(entry)) else { return nil }
        let header = IPv6Header.length &+ ICMPHeader.length
        let rest = bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(quoted.transportOffset)
            .prefix(ICMPError.largest(isV4: false) &- header &- IPv6Header.length)
        let inner = IPv4Header(unchecked: bytes.dropping(quoted.networkOffset))
        let start = header &+ IPv6Header.length
        let length = start &+ rest.count
        output.copy(from: rest, to: start)
        setPorts(output, start, entry.clientPort, entry.virtualPort)
        setSequence(output, start, end: length, entry)
        IPv6Header(unchecked: output.dropping(header)).emit(
            trafficClass: inner.typeOfService, flowLabel: 0,
            payloadLength: max(inner.totalLength &- inner.headerLength, 0), nextHeader: entry.transportProtocol,
            hopLimit: inner.timeToLive, source: entry.client, destination: entry.virtual)
        let outer = IPv4Header(unchecked: bytes.dropping(packet.networkOffset))
        IPv6Header(unchecked: output).emit(
            trafficClass: outer.typeOfService, flowLabel: 0, payloadLength: length &- IPv6Header.length,
            nextHeader: IPProtocol.icmpv6, hopLimit: outer.timeToLive, source: entry.virtual, destination: entry.client)
        ICMPv6Header(unchecked: output.prefix(length).dropping(IPv6Header.length)).emit(
            type: error.type, code: error.code, rest: error.rest, source: entry.virtual, destination: entry.client)
        return length
    }

    /// Write the ICMP error that an ICMPv6 error from the client's side is to the real server.
    /// - Parameter output: room for `ICMPError.largest(isV4: true)` bytes, network header first.
    /// - Returns: the packet's length; nil when no ICMP error says the same.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func translateRequest(
        to output: PacketBytes, _ bytes: PacketBytes, _ packet: PacketDescription, _ quoted: QuotedPacket,
        _ entry: ConnectionEntry, identification: UInt16
    ) -> Int? {
        let message = bytes.dropping(packet.transportOffset)
        guard let error = toV4(message[0], message[1], message.load(4)) else { return nil }
        let header = IPv4Header.minimumLength &+ ICMPHeader.length
        let rest = bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(quoted.transportOffset)
            .prefix(ICMPError.largest(isV4: true) &- header &- IPv4Header.minimumLength)
        let inner = IPv6Header(unchecked: bytes.dropping(quoted.networkOffset))
        let extensions = quoted.transportOffset &- quoted.networkOffset &- IPv6Header.length
        let start = header &+ IPv4Header.minimumLength
        let length = start &+ rest.count
        output.copy(from: rest, to: start)
        setPorts(output, start, entry.destinationPort, entry.localPort)
        IPv4Header(unchecked: output.dropping(header)).emit(
            typeOfService: inner.trafficClass,
            totalLength: IPv4Header.minimumLength &+ max(inner.payloadLength &- extensions, 0), identification: 0,
            fragmentWord: IPv4Header.dontFragment, timeToLive: inner.hopLimit,
            transportProtocol: entry.transportProtocol, source: entry.destination, destination: entry.local)
        let outer = IPv6Header(unchecked: bytes.dropping(packet.networkOffset))
        IPv4Header(unchecked: output).emit(
            typeOfService: outer.trafficClass, totalLength: length, identification: identification, fragmentWord: 0,
            timeToLive: outer.hopLimit, transportProtocol: IPProtocol.icmp, source: entry.local,
            destination: entry.destination)
        ICMPHeader(unchecked: output.prefix(length).dropping(IPv4Header.minimumLength)).emit(
            type: error.type, code: error.code, rest: error.rest)
        return length
    }

    /// Type, code and second word of an ICMP header.
    struct Header: Equatable {
        var type: UInt8
        var code: UInt8
        var rest: UInt32 = 0
    }

    /// RFC 7915 §4.2. An MTU grows by what the IPv6 header is longer, less what the client's packets grow by, and is
    /// never below what every IPv6 link carries.
    static func toV6(_ type: UInt8, _ code: UInt8, _ rest: UInt32, added: Int) -> Header? {
        switch (type, code) {
        case (ICMPType.destinationUnreachable, 0), (ICMPType.destinationUnreachable, 1),
            (ICMPType.destinationUnreachable, 5...8), (ICMPType.destinationUnreachable, 11),
            (ICMPType.destinationUnreachable, 12):
            return Header(type: ICMPv6Type.destinationUnreachable, code: ICMPv6Code.noRoute)
        case (ICMPType.destinationUnreachable, ICMPCode.protocolUnreachable):
            // The pointer names the next header.
            return Header(type: ICMPv6Type.parameterProblem, code: ICMPv6Code.unknownNextHeader, rest: 6)
        case (ICMPType.destinationUnreachable, ICMPCode.portUnreachable):
            return Header(type: ICMPv6Type.destinationUnreachable, code: ICMPv6Code.portUnreachable)
        case (ICMPType.destinationUnreachable, ICMPCode.fragmentationNeeded):
            let mtu = Int(rest & 0xffff) &+ 20 &- added
            return Header(type: ICMPv6Type.packetTooBig, code: 0, rest: UInt32(truncatingIfNeeded: max(mtu, 1280)))
        case (ICMPType.destinationUnreachable, 9), (ICMPType.destinationUnreachable, 10),
            (ICMPType.destinationUnreachable, 13), (ICMPType.destinationUnreachable, 15):
            return Header(type: ICMPv6Type.destinationUnreachable, code: ICMPv6Code.administrativelyProhibited)
        case (ICMPType.timeExceeded, _):
            return Header(type: ICMPv6Type.timeExceeded, code: code)
        default:
            return nil
        }
    }

    /// RFC 7915 §5.2.
    static func toV4(_ type: UInt8, _ code: UInt8, _ rest: UInt32) -> Header? {
        switch (type, code) {
        case (ICMPv6Type.destinationUnreachable, ICMPv6Code.noRoute),
            (ICMPv6Type.destinationUnreachable, ICMPv6Code.beyondScope),
            (ICMPv6Type.destinationUnreachable, ICMPv6Code.addressUnreachable):
            return Header(type: ICMPType.destinationUnreachable, code: ICMPCode.hostUnreachable)
        case (ICMPv6Type.destinationUnreachable, ICMPv6Code.administrativelyProhibited):
            return Header(type: ICMPType.destinationUnreachable, code: 10)
        case (ICMPv6Type.destinationUnreachable, ICMPv6Code.portUnreachable):
            return Header(type: ICMPType.destinationUnreachable, code: ICMPCode.portUnreachable)
        case (ICMPv6Type.packetTooBig, _):
            let mtu = rest > 20 ? rest &- 20 : 0
            return Header(
                type: ICMPType.destinationUnreachable, code: ICMPCode.fragmentationNeeded,
                rest: mtu > 0xffff ? 0xffff : mtu)
        case (ICMPv6Type.timeExceeded, _):
            return Header(type: ICMPType.timeExceeded, code: code)
        default:
            return nil
        }
    }
}
