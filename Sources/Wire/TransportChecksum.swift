/// How the checksum of a transport header stands while it is rewritten.
public enum ChecksumState: UInt8, Sendable, BitwiseCopyable {
    /// The field covers header, payload and pseudo-header.
    case complete
    /// The field holds only the pseudo-header's sum, uncomplemented; a device (or `complete`) adds the rest.
    case partial
}

/// The checksum field of a transport header, adjusted as addresses and ports change.
public enum TransportChecksum {
    /// Adjust the field at `offset` of `transport` for a change of addresses (part of the pseudo-header) and of fields of
    /// the transport header itself. A partial checksum does not cover the latter.
    @inlinable @inline(__always)
    public static func adjust(
        _ transport: PacketBytes, at offset: Int, state: ChecksumState, addresses: UInt64, fields: UInt64
    ) {
        let old: UInt16 = transport.loadRaw(offset)
        switch state {
        case .complete:
            transport.storeRaw(Checksum.adjust(old, by: Checksum.add(addresses, fields)), offset)
        case .partial:
            transport.storeRaw(Checksum.adjustPartial(old, by: addresses), offset)
        }
    }

    /// Turn a partial checksum at `offset` of `transport` into a complete one: sums everything from the transport header
    /// on, the pseudo-header's sum being in the field already.
    @inlinable
    public static func complete(_ transport: PacketBytes, at offset: Int, isUDP: Bool) {
        let sum = Checksum.checksum(transport)
        transport.storeRaw(sum == 0 && isUDP ? 0xffff : sum, offset)
    }

    /// Compute the field at `offset` of `transport` in full.
    @inlinable
    public static func fill(
        _ transport: PacketBytes, at offset: Int, source: IPAddress, destination: IPAddress, transportProtocol: UInt8
    ) {
        transport.store(UInt16(0), offset)
        let pseudo = Checksum.pseudoHeader(
            source, destination, transportProtocol: transportProtocol, length: transport.count)
        let sum = Checksum.checksum(transport, pseudo)
        transport.storeRaw(sum == 0 && transportProtocol == IPProtocol.udp ? 0xffff : sum, offset)
    }
}
