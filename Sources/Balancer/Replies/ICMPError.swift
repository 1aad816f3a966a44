public import Wire

/// An ICMP or ICMPv6 error about a packet.
public struct ICMPError: Sendable, BitwiseCopyable {
    /// Type for IPv4.
    public var type: UInt8
    /// Code for IPv4.
    public var code: UInt8
    /// Type for IPv6.
    public var typeV6: UInt8
    /// Code for IPv6.
    public var codeV6: UInt8
    /// The second word of the header: an MTU, a gateway, or 0.
    public var rest: UInt32

    @inlinable
    init(_ type: UInt8, _ code: UInt8, _ typeV6: UInt8, _ codeV6: UInt8, _ rest: UInt32 = 0) {
        self.type = type
        self.code = code
        self.typeV6 = typeV6
        self.codeV6 = codeV6
        self.rest = rest
    }

    /// No host with this address can be reached.
    @inlinable public static var hostUnreachable: ICMPError { ICMPError(3, 1, 1, 3) }
    /// There is no route to the host: IPv6 has a code of its own for it.
    @inlinable public static var noRoute: ICMPError { ICMPError(3, 1, 1, 0) }
    /// Nobody serves this port.
    @inlinable public static var portUnreachable: ICMPError { ICMPError(3, 3, 1, 4) }
    /// Nobody speaks this protocol.
    @inlinable public static var protocolUnreachable: ICMPError { ICMPError(3, 2, 4, 1) }
    /// Nobody knows the next header that is named at `offset` of the packet. IPv6 only (RFC 4443 §3.4).
    @inlinable public static func unknownNextHeader(at offset: Int) -> ICMPError {
        ICMPError(3, 2, 4, 1, UInt32(truncatingIfNeeded: offset))
    }
    /// The byte at `offset` of the IPv4 header is wrong (RFC 792).
    @inlinable public static func parameterProblem(at offset: Int) -> ICMPError {
        ICMPError(12, 0, 4, 0, UInt32(truncatingIfNeeded: offset) << 24)
    }
    /// The TTL was used up.
    @inlinable public static var timeExceeded: ICMPError { ICMPError(11, 0, 3, 0) }
    /// The fragments did not all come in time.
    @inlinable public static var reassemblyTimeExceeded: ICMPError { ICMPError(11, 1, 3, 1) }
    /// The packet is longer than `mtu` bytes and may not be fragmented.
    @inlinable public static func tooBig(mtu: Int) -> ICMPError {
        ICMPError(3, 4, 2, 0, UInt32(truncatingIfNeeded: mtu))
    }
    /// `gateway` is a better next hop. IPv4 only.
    @inlinable public static func redirect(_ gateway: IPAddress) -> ICMPError { ICMPError(5, 1, 137, 0, gateway.v4) }

    /// Largest error packet, quoted bytes included: 576 bytes (RFC 1812 §4.3.2.3) and 1280 (RFC 4443 §2.4 c).
    @inlinable public static func largest(isV4: Bool) -> Int { isV4 ? 576 : 1280 }

    /// Whether an error may be sent about this packet: not about an ICMP error, a later fragment, or a packet to or from
    /// more or less than one host (RFC 1122 §3.2.2, RFC 4443 §2.4 e).
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func isAllowed(about packet: PacketDescription, _ bytes: PacketBytes) -> Bool {
        let source = packet.key.source
        guard !source.isUnspecified, !source.isMulticast, !source.isLoopback, packet.fragmentOffset == 0,
            !packet.key.destination.isMulticast
        else { return false }
        if source.isV4, source.v4 == 0xffff_ffff || packet.key.destination.v4 == 0xffff_ffff { return false }
        switch packet.transportProtocol {
        case IPProtocol.icmp where packet.isV4:
            return packet.hasTransport && !ICMPHeader.isError(bytes[packet.transportOffset])
        case IPProtocol.icmpv6 where !packet.isV4:
            return packet.hasTransport && !ICMPv6Header.isError(bytes[packet.transportOffset])
        default:
            return true
        }
    }

    /// Write the error packet, network header first: TTL 64, no DF, ToS 0xc0 over the packet's own ToS bits.
    ///
    /// - Parameters:
    ///   - output: room for `largest` bytes.
    ///   - quoted: the packet the error is about, from its network header to its end.
    ///   - identification: IPv4 id.
    /// - Returns: the length of the packet.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func write(
        to output: PacketBytes, quoting quoted: PacketBytes, source: IPAddress, destination: IPAddress,
        identification: UInt16
    ) -> Int {
        let isV4 = destination.isV4
        let headerLength = isV4 ? IPv4Header.minimumLength : IPv6Header.length
        let room = Self.largest(isV4: isV4) &- headerLength &- ICMPHeader.length
        let quote = quoted.prefix(room)
        let length = headerLength &+ ICMPHeader.length &+ quote.count
        let message = output.prefix(length).dropping(headerLength)
        message.copy(from: quote, to: ICMPHeader.length)
        if isV4 {
            let service = quoted.count > 1 ? quoted[1] & 0x1e : 0
            IPv4Header(unchecked: output).emit(
                typeOfService: service | 0xc0, totalLength: length, identification: identification, fragmentWord: 0,
                timeToLive: 64, transportProtocol: IPProtocol.icmp, source: source, destination: destination)
            ICMPHeader(unchecked: message).emit(type: type, code: code, rest: rest)
        } else {
            IPv6Header(unchecked: output).emit(
                trafficClass: 0, flowLabel: 0, payloadLength: length &- headerLength, nextHeader: IPProtocol.icmpv6,
                hopLimit: 64, source: source, destination: destination)
            ICMPv6Header(unchecked: message).emit(
                type: typeV6, code: codeV6, rest: rest, source: source, destination: destination)
        }
        return length
    }
}
