public import Wire

/// NAT64: the network header of one family in the place of the other's (RFC 7915 §4.1 and §5.1; DPVS, `mbuf_6to4` and
/// `mbuf_4to6`). The transport header follows it unchanged; extension headers and IPv4 options are left out.
public enum FamilyTranslation {
    /// The longest packet that leaves without DF: one that an IPv6 link may not refuse (RFC 7915 §5.1).
    @inlinable public static var longestFragmentable: Int { 1260 }

    /// Give an IPv6 packet an IPv4 header.
    ///
    /// - Parameters:
    ///   - identification: of a packet without DF.
    ///   - mayFragment: whether its sender fragmented it, so that DF is left clear whatever its length.
    /// - Returns: the difference for the transport checksum.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func toV4(
        _ frame: inout Frame, _ packet: inout PacketDescription, source: IPAddress, destination: IPAddress,
        identification: UInt16, mayFragment: Bool
    ) -> UInt64 {
        let old = IPv6Header(unchecked: frame.bytes.dropping(packet.networkOffset))
        let before = Checksum.add(Checksum.sum(old.source), Checksum.sum(old.destination))
        let (service, timeToLive) = (old.trafficClass, old.hopLimit)
        let length = IPv4Header.minimumLength &+ packet.transportLength
        let surplus = packet.transportOffset &- packet.networkOffset &- IPv4Header.minimumLength
        frame.bytes.copy(from: frame.bytes.prefix(packet.networkOffset), to: surplus)
        frame.removeFirst(surplus)
        let keepsWhole = !mayFragment && length > longestFragmentable
        EthernetHeader(unchecked: frame.bytes).type = EtherType.ipv4
        IPv4Header(unchecked: frame.bytes.dropping(packet.networkOffset)).emit(
            typeOfService: service, totalLength: length, identification: keepsWhole ? 0 : identification,
            fragmentWord: keepsWhole ? IPv4Header.dontFragment : 0, timeToLive: timeToLive,
            transportProtocol: packet.transportProtocol, source: source, destination: destination)
        packet.doesNotFragment = keepsWhole
        settle(&frame, &packet, source, destination, grown: 0 &- surplus, length)
        return Checksum.difference(from: before, to: Checksum.add(Checksum.sum(source), Checksum.sum(destination)))
    }

    /// Give an IPv4 packet an IPv6 header. False, and nothing changed, when the headroom has no room.
    /// - Parameter difference: the difference for the transport checksum.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func toV6(
        _ frame: inout Frame, _ packet: inout PacketDescription, source: IPAddress, destination: IPAddress,
        difference: inout UInt64
    ) -> Bool {
        let old = IPv4Header(unchecked: frame.bytes.dropping(packet.networkOffset))
        let before = Checksum.add(Checksum.sum(old.source), Checksum.sum(old.destination))
        let (service, timeToLive) = (old.typeOfService, old.timeToLive)
        let payload = packet.transportLength
        let growth = IPv6Header.length &- (packet.transportOffset &- packet.networkOffset)
        if growth > 0 {
            guard frame.prepend(growth) else { return false }
            frame.bytes.copy(from: frame.bytes.dropping(growth).prefix(packet.networkOffset))
        } else {
            frame.bytes.copy(from: frame.bytes.prefix(packet.networkOffset), to: 0 &- growth)
            frame.removeFirst(0 &- growth)
        }
        EthernetHeader(unchecked: frame.bytes).type = EtherType.ipv6
        IPv6Header(unchecked: frame.bytes.dropping(packet.networkOffset)).emit(
            trafficClass: service, flowLabel: 0, payloadLength: payload, nextHeader: packet.transportProtocol,
            hopLimit: timeToLive, source: source, destination: destination)
        packet.doesNotFragment = true
        settle(&frame, &packet, source, destination, grown: growth, IPv6Header.length &+ payload)
        difference = Checksum.difference(
            from: before, to: Checksum.add(Checksum.sum(source), Checksum.sum(destination)))
        return true
    }

    /// Have description and offload facts say what the packet is now.
    private static func settle(
        _ frame: inout Frame, _ packet: inout PacketDescription, _ source: IPAddress, _ destination: IPAddress,
        grown: Int, _ length: Int
    ) {
        packet.key.source = source
        packet.key.destination = destination
        packet.networkLength = length
        packet.transportOffset &+= grown
        packet.hasOptions = false
        packet.fragmentHeaderOffset = 0
        let shift = UInt16(truncatingIfNeeded: grown)
        if frame.offload.needsChecksum { frame.offload.checksumStart &+= shift }
        guard frame.offload.isSuperFrame else { return }
        frame.offload.headerLength &+= shift
        let ecn = frame.offload.segmentation & OffloadFacts.Segmentation.ecn
        if packet.transportProtocol == IPProtocol.tcp {
            let kind = source.isV4 ? OffloadFacts.Segmentation.tcpv4 : OffloadFacts.Segmentation.tcpv6
            frame.offload.segmentation = kind | ecn
        }
    }
}
