public import Wire

/// FULLNAT of plain packets, both ends IPv4: those of a connection on which everything is said already.
extension FullNAT {
    /// What a plain packet's numbers are moved by: added to a client's sequence number, taken off what a server
    /// acknowledges; 0 for UDP. Nil: it takes something along, or says something of the connection, or has other numbers
    /// of the client's in it; `segment`, `noteReply` and `rewriteReply` know of these.
    @inlinable @inline(__always)
    public static func steadyShift(
        _ frame: PacketBytes, _ packet: PlainPacket, _ entry: ConnectionEntry, isRequest: Bool
    ) -> UInt32? {
        let carrier = entry.carrier
        guard packet.isTCP else { return isRequest && carrier == .proxyProtocol ? nil : 0 }
        // SACK blocks of a server's are in the options: 5 words are a header without.
        guard isRequest || frame[PlainPacket.transportOffset &+ 12] >> 4 == 5 else { return nil }
        let offset = entry.sequenceOffset
        switch carrier {
        case .none: return offset
        case .tcpOption:
            let acknowledgement: UInt32 = frame.load(PlainPacket.transportOffset &+ 8)
            let isFirst = isRequest && acknowledgement == entry.reference && entry.flags.contains(.serverKnown)
            return isFirst ? nil : offset
        case .proxyProtocol:
            guard entry.flags.contains(.headerArrived) else { return nil }
            return offset &+ UInt32(truncatingIfNeeded: ClientAddress.headerLength(entry))
        }
    }

    /// Rewrite a plain packet, its TTL included: of a client for its real server, else of a server for its client.
    /// - Parameter shift: what `steadyShift` gave.
    @inlinable @inline(__always)
    public static func forward(
        _ frame: PacketBytes, _ packet: PlainPacket, _ entry: ConnectionEntry, _ state: ChecksumState, isRequest: Bool,
        shift: UInt32
    ) {
        let addresses = IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).forward(
            settingAddresses: entry.plainAddresses(isRequest: isRequest))
        let transport = frame.dropping(PlainPacket.transportOffset)
        let ports = entry.plainPorts(isRequest: isRequest)
        transport.store(ports, 0)
        var fields = Checksum.difference(from: UInt64(packet.ports.bigEndian), to: UInt64(ports.bigEndian))
        if packet.isTCP {
            let offset = isRequest ? 4 : 8
            let number: UInt32 = transport.load(offset)
            let moved = isRequest ? number &+ shift : number &- shift
            transport.store(moved, offset)
            fields = Checksum.add(
                fields, Checksum.difference(from: UInt64(number.bigEndian), to: UInt64(moved.bigEndian)))
        }
        TransportChecksum.adjust(
            transport, at: packet.checksumOffset, state: state, addresses: addresses, fields: fields)
        if !packet.isTCP, state == .complete { UDPHeader(unchecked: transport).normalizeChecksum() }
    }
}
