public import Wire

/// What tells a FULLNAT real server the client's address: TOA, a TCP option, or a PROXY protocol v2 header.
///
/// Both are put into a packet that is the server's already. What lies before them moves into the frame's headroom, so that
/// the payload stays where it is.
public enum ClientAddress {
    /// Kind of the TOA option (DPVS, `include/ipvs/proto_tcp.h`): an experimental one (RFC 6994).
    static var optionKind: UInt8 { 254 }

    /// Bytes of the TOA option: kind, length, the client's port, its address.
    @inlinable @inline(__always)
    public static func optionLength(_ entry: ConnectionEntry) -> Int {
        entry.kind.contains(.clientSideV6) ? 20 : 8
    }

    /// Bytes of the PROXY protocol header: 16 and two addresses with their ports.
    @inlinable @inline(__always)
    public static func headerLength(_ entry: ConnectionEntry) -> Int {
        entry.kind.contains(.clientSideV6) ? 52 : 28
    }

    /// Put the TOA option behind the fixed part of a segment's header. False, and nothing changed, when the header or the
    /// headroom has no room; whether the MTU has is the caller's to know.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func addOption(
        _ frame: inout Frame, _ packet: inout PacketDescription, _ entry: ConnectionEntry
    ) -> Bool {
        let length = optionLength(entry)
        let offset = packet.transportOffset &+ TCPHeader.minimumLength
        let word: UInt16 = frame.bytes.load(packet.transportOffset &+ 12)
        guard Int(word >> 12) &* 4 &+ length <= 60, open(&frame, &packet, at: offset, length) else { return false }
        let option = frame.bytes.dropping(offset).prefix(length)
        option[0] = optionKind
        option[1] = UInt8(truncatingIfNeeded: length)
        option.store(entry.clientPort, 2)
        entry.client.write(to: option, at: 4)
        let longer = word &+ UInt16(truncatingIfNeeded: length / 4) << 12
        frame.bytes.store(longer, packet.transportOffset &+ 12)
        if frame.offload.isSuperFrame { frame.offload.headerLength &+= UInt16(truncatingIfNeeded: length) }
        let fields = Checksum.add(Checksum.sum(option), Checksum.difference(from: word, to: longer))
        adjust(frame, packet, at: TCPHeader.checksumOffset, by: length, fields)
        return true
    }

    /// Put the PROXY header before the payload of a segment or datagram. False, and nothing changed, when the headroom has
    /// no room.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func addHeader(
        _ frame: inout Frame, _ packet: inout PacketDescription, _ entry: ConnectionEntry
    ) -> Bool {
        let length = headerLength(entry)
        let isTCP = packet.transportProtocol == IPProtocol.tcp
        let transport = frame.bytes.dropping(packet.transportOffset)
        let offset = packet.transportOffset &+ (isTCP ? TCPHeader(unchecked: transport).headerLength : UDPHeader.length)
        guard open(&frame, &packet, at: offset, length) else { return false }
        let header = frame.bytes.dropping(offset).prefix(length)
        write(header, entry)
        var fields = Checksum.sum(header)
        if isTCP {
            adjust(frame, packet, at: TCPHeader.checksumOffset, by: length, fields)
            return true
        }
        let datagram = UDPHeader(unchecked: frame.bytes.dropping(packet.transportOffset))
        let old = UInt16(truncatingIfNeeded: datagram.datagramLength)
        datagram.datagramLength &+= length
        fields = Checksum.add(
            fields, Checksum.difference(from: old, to: old &+ UInt16(truncatingIfNeeded: length)))
        adjust(frame, packet, at: UDPHeader.checksumOffset, by: length, fields)
        if !frame.offload.needsChecksum { datagram.normalizeChecksum() }
        return true
    }

    /// Write a segment that carries the PROXY header alone, to go before the segment in `bytes`, which is the server's
    /// already and begins behind the header.
    /// - Parameter output: room for `headerSegmentLength` bytes, Ethernet header first.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func writeHeaderSegment(
        to output: PacketBytes, before bytes: PacketBytes, _ packet: PacketDescription, _ entry: ConnectionEntry,
        identification: UInt16
    ) {
        let length = headerSegmentLength(packet, entry)
        output.copy(from: bytes.prefix(packet.transportOffset &+ TCPHeader.minimumLength))
        let network = output.dropping(packet.networkOffset)
        if packet.isV4 {
            IPv4Header(unchecked: network).setTotalLength(length &- packet.networkOffset)
            IPv4Header(unchecked: network).setIdentification(identification)
        } else {
            IPv6Header(unchecked: network).payloadLength = length &- packet.networkOffset &- IPv6Header.length
        }
        let segment = output.prefix(length).dropping(packet.transportOffset)
        let header = TCPHeader(unchecked: segment)
        header.sequence = entry.reference &+ entry.sequenceOffset
        header.headerLength = TCPHeader.minimumLength
        header.flags = TCPFlags(rawValue: TCPFlags.ack.rawValue | TCPFlags.psh.rawValue)
        header.urgentPointer = 0
        write(segment.dropping(TCPHeader.minimumLength), entry)
        TransportChecksum.fill(
            segment, at: TCPHeader.checksumOffset, source: entry.local, destination: entry.destination,
            transportProtocol: IPProtocol.tcp)
    }

    /// Length of a frame with a segment that carries the PROXY header alone.
    public static func headerSegmentLength(_ packet: PacketDescription, _ entry: ConnectionEntry) -> Int {
        packet.transportOffset &+ TCPHeader.minimumLength &+ headerLength(entry)
    }

    /// Make room for `count` bytes at `offset` of the frame, and have the network header say so.
    private static func open(
        _ frame: inout Frame, _ packet: inout PacketDescription, at offset: Int, _ count: Int
    ) -> Bool {
        guard packet.networkLength &+ count <= 0xffff, frame.prepend(count) else { return false }
        frame.bytes.copy(from: frame.bytes.dropping(count).prefix(offset))
        packet.networkLength &+= count
        let network = frame.bytes.dropping(packet.networkOffset)
        if packet.isV4 {
            IPv4Header(unchecked: network).setTotalLength(packet.networkLength)
        } else {
            IPv6Header(unchecked: network).payloadLength = packet.networkLength &- IPv6Header.length
        }
        return true
    }

    /// Bring the transport checksum up to date for `count` more bytes, the pseudo-header's length among what changed.
    private static func adjust(
        _ frame: Frame, _ packet: PacketDescription, at offset: Int, by count: Int, _ fields: UInt64
    ) {
        let length = packet.transportLength
        let difference = Checksum.difference(
            from: UInt16(truncatingIfNeeded: length &- count), to: UInt16(truncatingIfNeeded: length))
        TransportChecksum.adjust(
            frame.bytes.dropping(packet.transportOffset), at: offset, state: frame.offload.checksumState,
            addresses: difference, fields: fields)
    }

    /// Write the header (HAProxy, "The PROXY protocol", 2.2): signature (0), version and command (12), family and
    /// transport (13), length of the addresses (14), the client's and the virtual address (16), their ports.
    private static func write(_ output: PacketBytes, _ entry: ConnectionEntry) {
        let isV6 = entry.kind.contains(.clientSideV6)
        let isTCP = entry.transportProtocol == IPProtocol.tcp
        output.store(0x0d0a_0d0a_000d_0a51 as UInt64, 0)
        output.store(0x5549_540a as UInt32, 8)
        output[12] = 0x21
        output[13] = (isV6 ? 0x20 : 0x10) | (isTCP ? 0x01 : 0x02)
        output.store(UInt16(isV6 ? 36 : 12), 14)
        entry.client.write(to: output, at: 16)
        let size = isV6 ? 16 : 4
        entry.virtual.write(to: output, at: 16 &+ size)
        output.store(entry.clientPort, 16 &+ 2 &* size)
        output.store(entry.virtualPort, 18 &+ 2 &* size)
    }
}
