public import Wire

/// FULLNAT (`--fullnat`, as DPVS): a request leaves with a local address and port as its source and the real server as its
/// destination, so that replies come to the local address; they leave for the client with the virtual service as their
/// source. The client's sequence numbers are moved by a random offset, and acknowledgements back
/// (DPVS, `src/ipvs/ip_vs_proto_tcp.c`, `tcp_fnat_in_handler` and `tcp_fnat_out_handler`).
public enum FullNAT {
    /// What a TCP segment of the client takes along.
    public enum Load: UInt8, Sendable, BitwiseCopyable {
        /// Nothing.
        case none
        /// The TOA option.
        case option
        /// The PROXY protocol's header.
        case header
    }

    /// How a TCP segment of the client is changed.
    public struct Segment: Sendable, BitwiseCopyable {
        /// Added to its sequence number.
        public var shift: UInt32
        /// What it takes along.
        public var load: Load
    }

    // MARK: Addresses

    /// Set both addresses of a packet, of the family that it has.
    /// - Returns: the difference for the transport checksum.
    @inlinable @inline(__always)
    static func readdress(
        _ bytes: PacketBytes, _ packet: PacketDescription, source: IPAddress, destination: IPAddress
    ) -> UInt64 {
        let network = bytes.dropping(packet.networkOffset)
        if packet.isV4 {
            let header = IPv4Header(unchecked: network)
            return Checksum.add(header.setSource(source), header.setDestination(destination))
        }
        let header = IPv6Header(unchecked: network)
        return Checksum.add(header.setSource(source), header.setDestination(destination))
    }

    /// Rewrite the addresses of a client's packet for its real server, of the same family.
    /// - Returns: the difference for the transport checksum.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func readdressRequest(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry
    ) -> UInt64 {
        readdress(bytes, packet, source: entry.local, destination: entry.destination)
    }

    /// Rewrite the addresses of a server's packet for its client, of the same family.
    /// - Returns: the difference for the transport checksum.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func readdressReply(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry
    ) -> UInt64 {
        readdress(bytes, packet, source: entry.virtual, destination: entry.client)
    }

    // MARK: Transport headers

    /// Rewrite the transport header of a client's packet whose addresses are the real server's already.
    ///
    /// - Parameters:
    ///   - state: how its checksum stands.
    ///   - addresses: what the addresses' rewriting returned.
    ///   - shift: of TCP, added to the sequence number.
    ///   - segmentLimit: of a SYN, the most that the client may ask segments to carry.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func rewriteRequest(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry, _ state: ChecksumState,
        addresses: UInt64, shift: UInt32, segmentLimit: Int
    ) {
        let transport = Self.transport(bytes, packet)
        var fields = setPorts(transport, entry.localPort, entry.destinationPort)
        if packet.transportProtocol == IPProtocol.tcp {
            fields = Checksum.add(fields, add(shift, to: transport, at: 4))
            if packet.flags.rawValue & 0x12 == 0x02, let header = TCPHeader(transport) {
                fields = Checksum.add(fields, rewriteSYN(header.options, entry, segmentLimit))
            }
        }
        settle(transport, packet, state, addresses, fields, source: entry.local, destination: entry.destination)
    }

    /// Rewrite the transport header of a server's packet whose addresses are the client's already.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func rewriteReply(
        _ bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry, _ state: ChecksumState,
        addresses: UInt64
    ) {
        let transport = Self.transport(bytes, packet)
        var fields = setPorts(transport, entry.virtualPort, entry.clientPort)
        if packet.transportProtocol == IPProtocol.tcp, packet.flags.rawValue & 0x10 != 0 {
            fields = Checksum.add(fields, acknowledge(transport, packet.flags, entry))
        }
        settle(transport, packet, state, addresses, fields, source: entry.virtual, destination: entry.client)
    }

    @inline(__always)
    private static func transport(_ bytes: PacketBytes, _ packet: PacketDescription) -> PacketBytes {
        bytes.prefix(packet.networkOffset &+ packet.networkLength).dropping(packet.transportOffset)
    }

    /// Set both ports.
    /// - Returns: the difference.
    @inline(__always)
    private static func setPorts(_ transport: PacketBytes, _ source: UInt16, _ destination: UInt16) -> UInt64 {
        let old = UInt64(transport.loadRaw(0, as: UInt32.self))
        let new = UInt32(source) << 16 | UInt32(destination)
        transport.store(new, 0)
        return Checksum.difference(from: old, to: UInt64(new.bigEndian))
    }

    /// Add to the number at `offset`.
    /// - Returns: the difference.
    @inline(__always)
    private static func add(_ amount: UInt32, to transport: PacketBytes, at offset: Int) -> UInt64 {
        let old: UInt32 = transport.load(offset)
        return set(old &+ amount, transport, at: offset)
    }

    @inline(__always)
    private static func set(_ value: UInt32, _ transport: PacketBytes, at offset: Int) -> UInt64 {
        let old = UInt64(transport.loadRaw(offset, as: UInt32.self))
        transport.store(value, offset)
        return Checksum.difference(from: old, to: UInt64(value.bigEndian))
    }

    /// A SYN loses its timestamps, for those of the many clients behind one local address do not grow together, and with
    /// a carrier its Fast Open option, for data before the handshake's end would come before the client's address.
    private static func rewriteSYN(_ options: PacketBytes, _ entry: ConnectionEntry, _ segmentLimit: Int) -> UInt64 {
        var difference = TCPOptions.remove(TCPOptions.timestamps, from: options)
        if entry.carrier != .none {
            difference = Checksum.add(difference, TCPOptions.remove(TCPOptions.fastOpen, from: options))
        }
        return Checksum.add(difference, TCPOptions.limitSegmentSize(options, to: segmentLimit))
    }

    /// Turn a reply's acknowledgement, and its SACK blocks, into the client's numbers. A SYN+ACK leaves room for TOA.
    private static func acknowledge(_ transport: PacketBytes, _ flags: TCPFlags, _ entry: ConnectionEntry) -> UInt64 {
        let mapping = mapping(entry)
        let number: UInt32 = transport.load(8)
        var difference = set(mapping.clients(number), transport, at: 8)
        guard let header = TCPHeader(transport), header.headerLength > TCPHeader.minimumLength else {
            return difference
        }
        difference = Checksum.add(difference, TCPOptions.mapBlocks(header.options, mapping))
        if flags.rawValue & 0x02 != 0, entry.carrier == .tcpOption {
            let room = ClientAddress.optionLength(entry)
            difference = Checksum.add(difference, TCPOptions.lowerSegmentSize(header.options, by: room))
        }
        return difference
    }

    /// Bring a transport checksum up to date; a UDP checksum of 0 becomes a right one, SCTP's CRC is computed anew.
    @inline(__always)
    private static func settle(
        _ transport: PacketBytes, _ packet: PacketDescription, _ state: ChecksumState, _ addresses: UInt64,
        _ fields: UInt64, source: IPAddress, destination: IPAddress
    ) {
        switch packet.transportProtocol {
        case IPProtocol.tcp:
            TransportChecksum.adjust(
                transport, at: TCPHeader.checksumOffset, state: state, addresses: addresses, fields: fields)
        case IPProtocol.udp:
            let header = UDPHeader(unchecked: transport)
            if state == .complete, !header.hasChecksum {
                TransportChecksum.fill(
                    transport, at: UDPHeader.checksumOffset, source: source, destination: destination,
                    transportProtocol: IPProtocol.udp)
                return
            }
            TransportChecksum.adjust(
                transport, at: UDPHeader.checksumOffset, state: state, addresses: addresses, fields: fields)
            if state == .complete { header.normalizeChecksum() }
        case IPProtocol.sctp:
            SCTPHeader(unchecked: transport).fillChecksum()
        default:
            return
        }
    }

    // MARK: Sequence numbers

    /// How the server's acknowledgements turn into the client's numbers.
    @inline(__always)
    static func mapping(_ entry: ConnectionEntry) -> SequenceMapping {
        let offset = entry.sequenceOffset
        guard entry.carrier == .proxyProtocol else { return SequenceMapping(offset: offset) }
        let header = UInt32(truncatingIfNeeded: ClientAddress.headerLength(entry))
        if entry.flags.contains(.headerArrived) { return SequenceMapping(offset: offset &+ header) }
        return SequenceMapping(offset: offset, first: entry.reference &+ offset, pending: header)
    }

    /// How the client's segment `header` is changed, and what it takes along.
    ///
    /// TOA goes with every segment that acknowledges nothing of the server but its SYN: the one that completes the
    /// handshake is among them. The PROXY header goes before the client's first byte until the server has acknowledged
    /// it, with the segment that completes the handshake too, though it has no payload: a server may wait for it before it
    /// says the first word.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func segment(_ header: TCPHeader, _ entry: ConnectionEntry) -> Segment {
        let offset = entry.sequenceOffset
        let flags = header.flags.rawValue
        let isPlain = flags & 0x16 == 0x10
        switch entry.carrier {
        case .none:
            return Segment(shift: offset, load: .none)
        case .tcpOption:
            let isFirst =
                isPlain && entry.flags.contains(.serverKnown) && header.acknowledgement == entry.reference
            return Segment(shift: offset, load: isFirst ? .option : .none)
        case .proxyProtocol:
            if flags & 0x02 != 0 { return Segment(shift: offset, load: .none) }
            let known = entry.flags
            let length = UInt32(truncatingIfNeeded: ClientAddress.headerLength(entry))
            if known.contains(.headerArrived) { return Segment(shift: offset &+ length, load: .none) }
            let distance = Int32(bitPattern: header.sequence &- entry.reference)
            if distance == 0, isPlain { return Segment(shift: offset, load: .header) }
            let isBehind = distance > 0 || distance == 0 && known.contains(.headerSent)
            return Segment(shift: isBehind ? offset &+ length : offset, load: .none)
        }
    }

    /// Note what the client's segment says, its state being moved already: a SYN that begins a connection anew begins the
    /// PROXY header anew.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func noteRequest(_ header: TCPHeader, _ entry: ConnectionEntry) {
        guard entry.carrier == .proxyProtocol, header.flags.rawValue & 0x16 == 0x02,
            TCPTracking.isEmbryonic(entry.state), header.sequence &+ 1 != entry.reference
        else { return }
        entry.reference = header.sequence &+ 1
        entry.clear(.headerSent | .headerArrived)
    }

    /// Note what the server's segment says: its first number, or that the PROXY header arrived.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func noteReply(_ header: TCPHeader, _ entry: ConnectionEntry) {
        let flags = header.flags.rawValue
        guard flags & 0x10 != 0 else { return }
        switch entry.carrier {
        case .none:
            return
        case .tcpOption:
            guard flags & 0x02 != 0 else { return }
            entry.reference = header.sequence &+ 1
            entry.set(.serverKnown)
        case .proxyProtocol:
            guard !entry.flags.contains(.headerArrived) else { return }
            let end =
                entry.reference &+ entry.sequenceOffset
                &+ UInt32(truncatingIfNeeded: ClientAddress.headerLength(entry))
            if Int32(bitPattern: header.acknowledgement &- end) >= 0 { entry.set(.headerArrived) }
        }
    }
}
