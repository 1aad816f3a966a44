public import Wire

/// The packet inside a tunnel packet: where it lies and how its transport checksum stands.
public struct InnerPacket: Hashable, Sendable {
    /// A checksum that holds the pseudo-header's sum only; offsets in bytes from the packet's first.
    public struct PartialChecksum: Hashable, Sendable {
        /// Where the sum starts.
        public var start: Int
        /// Where its field is.
        public var field: Int

        /// From its parts.
        public init(start: Int, field: Int) {
            self.start = start
            self.field = field
        }
    }

    /// Bytes before it.
    public var offset: Int
    /// Its length, as its own header says.
    public var length: Int
    /// Set when whoever takes the packet must not verify its transport checksum, since nobody completed it.
    public var partialChecksum: PartialChecksum?

    /// Length of a GUE header without options, and of its private flags with remote checksum offload (`net/gue.h`).
    private static var gueLength: Int { 4 }
    private static var gueRemoteLength: Int { 8 }
    /// GUE's bits: version and control (of byte 0), private flags (of byte 3), remote checksum (of the private flags).
    private static var gueVersionAndControl: UInt8 { 0xe0 }
    private static var guePrivate: UInt16 { 1 }
    private static var gueRemote: UInt32 { 0x8000_0000 }
    /// GRE's checksum bit (RFC 2784 §2.1).
    private static var greChecksum: UInt16 { 0x8000 }

    /// Find the packet inside.
    ///
    /// Its transport checksum is left alone. That it is partial is seen by its value, for packets from a director on the
    /// same machine: a complete checksum that has this value is right in any case, and a wrong one has it once in 65,536.
    /// A congestion mark of the outer header is brought to the inner one (RFC 6040 §4.2), whose header checksum follows.
    ///
    /// - Parameters:
    ///   - payload: what follows the outer IP header (for GUE: the UDP header).
    ///   - trafficClass: ToS or traffic class of the outer header.
    public init(_ payload: PacketBytes, carrier: Carrier, trafficClass: UInt8) throws(Refusal) {
        let isV4: Bool
        var remote: PartialChecksum?
        switch carrier {
        case .ipv4, .ipv6: (offset, isV4) = (0, carrier == .ipv4)
        case .gre: (offset, isV4) = try Self.readGRE(payload)
        case .gue: (offset, isV4, remote) = try Self.readGUE(payload)
        }
        let bytes = payload.dropping(offset)
        guard bytes.count > 0 else { throw .truncated }
        guard bytes[0] >> 4 == (isV4 ? 4 : 6) else { throw .version }
        if isV4 {
            guard let header = IPv4Header(bytes) else { throw .truncated }
            length = header.totalLength
            try Self.bring(trafficClass, to: header)
        } else {
            guard let header = IPv6Header(bytes) else { throw .truncated }
            length = header.totalLength
            try Self.bring(trafficClass, to: header)
        }
        let packet = bytes.prefix(length)
        if let remote {
            guard remote.start <= remote.field, remote.field + 2 <= length else { throw .truncated }
            partialChecksum = remote
        } else {
            partialChecksum = Self.partialChecksum(packet, isV4: isV4)
        }
    }

    // MARK: Shims

    /// A GRE header (RFC 2784 §2.1): flags and version (0), EtherType (2), with a checksum that (4) and zero (6).
    private static func readGRE(_ payload: PacketBytes) throws(Refusal) -> (Int, Bool) {
        guard payload.count >= 4 else { throw .truncated }
        let flags: UInt16 = payload.load(0)
        let type: UInt16 = payload.load(2)
        guard flags & ~greChecksum == 0 else { throw .header }
        guard type == EtherType.ipv4 || type == EtherType.ipv6 else { throw .contents }
        guard flags & greChecksum != 0 else { return (4, type == EtherType.ipv4) }
        guard payload.count >= 8 else { throw .truncated }
        guard Checksum.checksum(payload) == 0 else { throw .checksum }
        return (8, type == EtherType.ipv4)
    }

    /// A GUE header: version, control and length of the rest in words (0), protocol (1), flags (2); then private flags (4),
    /// and for remote checksum offload where the sum starts (8) and lies (10), from the packet inside on.
    private static func readGUE(_ payload: PacketBytes) throws(Refusal) -> (Int, Bool, PartialChecksum?) {
        guard payload.count >= gueLength else { throw .truncated }
        guard payload[0] & gueVersionAndControl == 0 else { throw .header }
        let rest = Int(payload[0] & ~gueVersionAndControl) * 4
        guard payload.count >= gueLength + rest else { throw .truncated }
        guard payload[1] == IPProtocol.ipip || payload[1] == IPProtocol.ipv6 else { throw .contents }
        let isV4 = payload[1] == IPProtocol.ipip
        let flags: UInt16 = payload.load(2)
        guard flags != 0 else {
            guard rest == 0 else { throw .header }
            return (gueLength, isV4, nil)
        }
        guard flags == guePrivate, rest == gueRemoteLength, payload.load(4, as: UInt32.self) == gueRemote else {
            throw .header
        }
        let remote = PartialChecksum(
            start: Int(payload.load(8, as: UInt16.self)), field: Int(payload.load(10, as: UInt16.self)))
        return (gueLength + rest, isV4, remote)
    }

    // MARK: Congestion

    private static func isCongested(_ trafficClass: UInt8) -> Bool { trafficClass & 3 == 3 }

    private static func bring(_ trafficClass: UInt8, to header: IPv4Header) throws(Refusal) {
        guard isCongested(trafficClass) else { return }
        guard header.typeOfService & 3 != 0 else { throw .congestion }
        header.setWord(header.bytes.load(0, as: UInt16.self) | 3, at: 0)
    }

    private static func bring(_ trafficClass: UInt8, to header: IPv6Header) throws(Refusal) {
        guard isCongested(trafficClass) else { return }
        guard header.trafficClass & 3 != 0 else { throw .congestion }
        header.trafficClass |= 3
    }

    // MARK: Partial checksums

    /// Whether the transport checksum is the pseudo-header's sum and no more. Fragments, and IPv6 packets with extension
    /// headers, have complete ones: no device completes a checksum there.
    private static func partialChecksum(_ packet: PacketBytes, isV4: Bool) -> PartialChecksum? {
        let (source, destination): (IPAddress, IPAddress)
        let start: Int
        let transport: UInt8
        if isV4 {
            let header = IPv4Header(unchecked: packet)
            guard !header.isFragment else { return nil }
            (source, destination) = (header.source, header.destination)
            (start, transport) = (header.headerLength, header.transportProtocol)
        } else {
            let header = IPv6Header(unchecked: packet)
            (source, destination) = (header.source, header.destination)
            (start, transport) = (IPv6Header.length, header.nextHeader)
        }
        let field: Int
        switch transport {
        case IPProtocol.tcp: field = start + TCPHeader.checksumOffset
        case IPProtocol.udp: field = start + UDPHeader.checksumOffset
        default: return nil
        }
        guard field + 2 <= packet.count else { return nil }
        let pseudo = Checksum.pseudoHeader(
            source, destination, transportProtocol: transport, length: packet.count - start)
        guard packet.loadRaw(field, as: UInt16.self) == Checksum.fold(pseudo) else { return nil }
        return PartialChecksum(start: start, field: field)
    }
}
