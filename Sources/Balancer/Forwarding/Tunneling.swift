public import Wire

/// The outer header of a tunnelled packet, but for what it takes over from the packet inside.
public struct TunnelHeader: Sendable {
    /// What is put around the packet.
    public var options: TunnelOptions
    /// The director's address on the way to the destination.
    public var source: IPAddress
    /// The destination (real server).
    public var destination: IPAddress
    /// UDP source port of GUE: a hash of the flow, so that routers and receive queues tell flows apart.
    public var sourcePort: UInt16
    /// IPv4 id.
    public var identification: UInt16
    /// Whether an IPv4 packet's DF bit is copied from the packet inside (`pmtu_disc`); without, it is never set.
    public var copiesDontFragment: Bool

    /// From its parts.
    public init(
        options: TunnelOptions, source: IPAddress, destination: IPAddress, sourcePort: UInt16, identification: UInt16,
        copiesDontFragment: Bool
    ) {
        self.options = options
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.identification = identification
        self.copiesDontFragment = copiesDontFragment
    }
}

/// Where the partial checksum of a packet lies, for remote checksum offload: offsets in bytes from its network header.
public struct RemoteChecksum: Sendable, BitwiseCopyable {
    /// Where the sum starts.
    public var start: UInt16
    /// Where its field is.
    public var field: UInt16

    /// From its parts.
    @inlinable
    public init(start: UInt16, field: UInt16) {
        self.start = start
        self.field = field
    }
}

/// Tunnels (`-i`): the packet goes whole, its TTL already less one, behind an outer IP header, and behind UDP and GUE or
/// GRE where its destination wants it so (`ip_vs_xmit.c`, `ip_vs_tunnel_xmit`, `ipvs_gue_encap`, `ipvs_gre_encap`).
public enum Tunneling {
    /// Length of a GUE header without options (draft-ietf-intarea-gue-09 §3.1).
    private static var gueLength: Int { 4 }
    /// Length of GUE's private flags and the remote checksum option (`net/gue.h`, `GUE_LEN_PRIV`, `GUE_PLEN_REMCSUM`).
    private static var gueRemoteLength: Int { 8 }
    /// Length of a GRE header without and with checksum (RFC 2784 §2.1).
    private static var greLength: Int { 4 }
    private static var greChecksumLength: Int { 8 }
    /// The checksum bit of GRE's first word.
    private static var greChecksumPresent: UInt16 { 0x8000 }
    /// The ports a flow's hash is spread over (the kernel's default `ip_local_port_range`).
    private static var ports: (first: UInt64, count: UInt64) { (32768, 28232) }

    /// Bytes that are put before the packet.
    /// - Parameter isRemote: whether the packet carries a partial checksum that the other end is to complete.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func overhead(_ options: TunnelOptions, isOuterV4: Bool, isRemote: Bool) -> Int {
        let outer = isOuterV4 ? IPv4Header.minimumLength : IPv6Header.length
        switch options.kind {
        case .ipip: return outer
        case .gue: return outer &+ UDPHeader.length &+ gueLength &+ (isRemote ? gueRemoteLength : 0)
        case .gre: return outer &+ (hasChecksum(options) ? greChecksumLength : greLength)
        }
    }

    /// The UDP source port of a flow.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func sourcePort(hash: UInt64) -> UInt16 {
        UInt16(truncatingIfNeeded: ports.first &+ (hash >> 32 &* ports.count) >> 32)
    }

    private static func hasChecksum(_ options: TunnelOptions) -> Bool {
        switch options.checksum {
        case .none: false
        case .full, .remote: true
        }
    }

    /// Write the outer headers. The packet inside has complete checksums, unless `remote` is given.
    ///
    /// - Parameters:
    ///   - bytes: from the first byte of the outer header to the packet's last; the packet inside begins at `overhead`.
    ///   - remote: GUE with remote checksum offload only: the partial checksum inside, which stays partial.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func write(_ bytes: PacketBytes, _ header: TunnelHeader, remote: RemoteChecksum?) {
        let isOuterV4 = header.destination.isV4
        let start = overhead(header.options, isOuterV4: isOuterV4, isRemote: remote != nil)
        let inner = bytes.dropping(start)
        let isInnerV4 = inner[0] >> 4 == 4
        var carried = isInnerV4 ? IPProtocol.ipip : IPProtocol.ipv6
        let shim = bytes.dropping(isOuterV4 ? IPv4Header.minimumLength : IPv6Header.length)
        switch header.options.kind {
        case .ipip:
            break
        case .gue:
            writeGUE(shim, header, carried: carried, remote: remote)
            carried = IPProtocol.udp
        case .gre:
            writeGRE(shim, header.options, isInnerV4: isInnerV4)
            carried = IPProtocol.gre
        }
        writeOuter(bytes, header, inner, isInnerV4: isInnerV4, carried: carried)
    }

    /// TTL and DSCP are the inner packet's; of its ECN bits CE becomes ECT(0), as RFC 3168 §9.1 has it.
    private static func writeOuter(
        _ bytes: PacketBytes, _ header: TunnelHeader, _ inner: PacketBytes, isInnerV4: Bool, carried: UInt8
    ) {
        let v4 = IPv4Header(unchecked: inner)
        let v6 = IPv6Header(unchecked: inner)
        let service = isInnerV4 ? v4.typeOfService : v6.trafficClass
        let outerService = service & 3 == 3 ? service & ~3 | 2 : service
        let timeToLive = isInnerV4 ? v4.timeToLive : v6.hopLimit
        if header.destination.isV4 {
            let keepsWhole = header.copiesDontFragment && isInnerV4 && v4.doesNotFragment
            IPv4Header(unchecked: bytes).emit(
                typeOfService: outerService, totalLength: bytes.count, identification: header.identification,
                fragmentWord: keepsWhole ? IPv4Header.dontFragment : 0, timeToLive: timeToLive,
                transportProtocol: carried, source: header.source, destination: header.destination)
        } else {
            IPv6Header(unchecked: bytes).emit(
                trafficClass: outerService, flowLabel: 0, payloadLength: bytes.count &- IPv6Header.length,
                nextHeader: carried, hopLimit: timeToLive, source: header.source, destination: header.destination)
        }
    }

    /// GUE, version 0: header length in words (0), the protocol (1), flags (2); then, with bit 0 of the flags, private
    /// flags (4) and for bit 31 of these where the checksum starts (8) and lies (10).
    private static func writeGUE(
        _ datagram: PacketBytes, _ header: TunnelHeader, carried: UInt8, remote: RemoteChecksum?
    ) {
        let udp = UDPHeader(unchecked: datagram)
        udp.sourcePort = header.sourcePort
        udp.destinationPort = header.options.port
        udp.datagramLength = datagram.count
        datagram.store(UInt16(0), UDPHeader.checksumOffset)
        let gue = datagram.dropping(UDPHeader.length)
        gue[0] = UInt8(truncatingIfNeeded: remote == nil ? 0 : gueRemoteLength / 4)
        gue[1] = carried
        gue.store(UInt16(remote == nil ? 0 : 1), 2)
        if let remote {
            gue.store(UInt32(0x8000_0000), 4)
            gue.store(remote.start, 8)
            gue.store(remote.field, 10)
        }
        guard hasChecksum(header.options) else { return }
        TransportChecksum.fill(
            datagram, at: UDPHeader.checksumOffset, source: header.source, destination: header.destination,
            transportProtocol: IPProtocol.udp)
    }

    private static func writeGRE(_ packet: PacketBytes, _ options: TunnelOptions, isInnerV4: Bool) {
        let hasChecksum = hasChecksum(options)
        packet.store(hasChecksum ? greChecksumPresent : 0, 0)
        packet.store(isInnerV4 ? EtherType.ipv4 : EtherType.ipv6, 2)
        guard hasChecksum else { return }
        packet.store(UInt32(0), 4)
        packet.storeRaw(Checksum.checksum(packet), 4)
    }

    /// What an outer packet, quoted by an ICMP error, carries.
    public struct Contents: Sendable {
        /// Kind of tunnel.
        public var kind: TunnelKind
        /// Bytes of outer headers.
        public var overhead: Int
        /// The packet inside.
        public var packet: QuotedPacket
    }

    /// Read the packet inside a quoted tunnel packet; nil when it is none, or quoted too short for the inner ports.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func contents(of quoted: QuotedPacket, _ bytes: PacketBytes) -> Contents? {
        guard quoted.transportOffset <= bytes.count else { return nil }
        let shim = bytes.dropping(quoted.transportOffset)
        let kind: TunnelKind
        let length: Int
        let isInnerV4: Bool
        switch quoted.key.transportProtocol {
        case IPProtocol.ipip, IPProtocol.ipv6:
            (kind, length, isInnerV4) = (.ipip, 0, quoted.key.transportProtocol == IPProtocol.ipip)
        case IPProtocol.udp:
            guard shim.count >= UDPHeader.length &+ gueLength else { return nil }
            let gue = shim.dropping(UDPHeader.length)
            guard gue[0] >> 5 == 0, gue[1] == IPProtocol.ipip || gue[1] == IPProtocol.ipv6 else { return nil }
            length = UDPHeader.length &+ gueLength &+ Int(gue[0] & 0x1f) &* 4
            (kind, isInnerV4) = (.gue, gue[1] == IPProtocol.ipip)
        case IPProtocol.gre:
            guard shim.count >= greLength else { return nil }
            let flags: UInt16 = shim.load(0)
            let type: UInt16 = shim.load(2)
            guard flags & ~greChecksumPresent == 0, type == EtherType.ipv4 || type == EtherType.ipv6 else { return nil }
            length = flags == 0 ? greLength : greChecksumLength
            (kind, isInnerV4) = (.gre, type == EtherType.ipv4)
        default:
            return nil
        }
        let start = quoted.transportOffset &+ length
        guard let packet = QuotedPacket(bytes, at: start, isV4: isInnerV4), packet.hasPorts else { return nil }
        return Contents(kind: kind, overhead: start &- quoted.networkOffset, packet: packet)
    }
}

extension ICMPError {
    /// The error for the client that an error about the tunnel's outer packet stands for; nil when there is none in the
    /// client's family.
    ///
    /// - Parameters:
    ///   - isV4: family of the outer packet.
    ///   - mtu: what fits into the tunnel, for a packet that was too big.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func relayed(type: UInt8, code: UInt8, rest: UInt32, isV4: Bool, mtu: Int) -> ICMPError? {
        if isV4 {
            switch type {
            case ICMPType.destinationUnreachable where code == ICMPCode.fragmentationNeeded: return tooBig(mtu: mtu)
            case ICMPType.destinationUnreachable: return ICMPError(type, code, 1, 3, rest)
            case ICMPType.timeExceeded: return ICMPError(type, code, 3, code, rest)
            case ICMPType.sourceQuench: return ICMPError(type, code, 1, 3, rest)
            default: return nil
            }
        }
        switch type {
        case ICMPv6Type.packetTooBig: return tooBig(mtu: mtu)
        case ICMPv6Type.destinationUnreachable: return ICMPError(3, 1, type, code, rest)
        case ICMPv6Type.timeExceeded: return ICMPError(11, code, type, code, rest)
        default: return nil
        }
    }
}
