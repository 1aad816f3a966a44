public import Wire

/// What a frame says, read without `Wire`: the judge of what the code under test made.
public struct PacketSummary: Sendable {
    /// How a checksum was found.
    public enum ChecksumVerdict: String, Sendable {
        /// Right, by summing everything.
        case right
        /// Wrong.
        case wrong
        /// Only the pseudo-header's sum, for a device to complete.
        case partial
        /// Zero in UDP: none.
        case absent
        /// Not to be told: a fragment, a cut-off packet, or a protocol that has none.
        case unknown
    }

    /// Destination of the frame.
    public var destinationMAC = MACAddress.zero
    /// Source of the frame.
    public var sourceMAC = MACAddress.zero
    /// Source address and port; port 0 where there is none.
    public var source: Endpoint
    /// Destination address and port; port 0 where there is none.
    public var destination: Endpoint
    /// TTL or hop limit.
    public var timeToLive: UInt8 = 0
    /// Type of service or traffic class.
    public var typeOfService: UInt8 = 0
    /// Identification, of IPv4 or of an IPv6 fragment header.
    public var identification: UInt32 = 0
    /// The don't-fragment bit; false for IPv6.
    public var doesNotFragment = false
    /// Whether this is a fragment.
    public var isFragment = false
    /// Offset of a fragment in bytes.
    public var fragmentOffset = 0
    /// The IP protocol, IPv6 extension headers walked over.
    public var transportProtocol: UInt8 = 0
    /// Length of the IP packet, as it says.
    public var packetLength = 0
    /// TCP flags; nil for other protocols.
    public var flags: TCPFlags?
    /// ICMP type; nil for other protocols.
    public var icmpType: UInt8?
    /// ICMP code; nil for other protocols.
    public var icmpCode: UInt8?
    /// The four bytes after the checksum of ICMP; nil for other protocols.
    public var icmpRest: UInt32?
    /// Transport header and payload.
    public var segment: [UInt8] = []
    /// What follows the transport header.
    public var payload: [UInt8] = []
    /// The IPv4 header's checksum; right for IPv6.
    public var headerChecksum = ChecksumVerdict.right
    /// The transport's checksum.
    public var transportChecksum = ChecksumVerdict.unknown

    /// Read an Ethernet frame; nil when it holds no IP packet.
    public init?(frame: [UInt8]) {
        guard frame.count >= 14, let type = Self.word(frame, 12), type == 0x0800 || type == 0x86dd else { return nil }
        self.init(packet: Array(frame.dropFirst(14)))
        destinationMAC = MACAddress(bits: Self.number(frame[0..<6]))
        sourceMAC = MACAddress(bits: Self.number(frame[6..<12]))
    }

    /// Read an IP packet, which may be cut off; nil when its header is not there.
    public init?(packet: [UInt8]) {
        switch (packet.first ?? 0) >> 4 {
        case 4: self.init(v4: packet)
        case 6: self.init(v6: packet)
        default: return nil
        }
    }

    private init?(v4 packet: [UInt8]) {
        let length = Int(packet[0] & 0xf) * 4
        guard length >= 20, packet.count >= length, let total = Self.word(packet, 2), total >= length else {
            return nil
        }
        source = Endpoint(IPAddress(v4: UInt32(Self.number(packet[12..<16]))))
        destination = Endpoint(IPAddress(v4: UInt32(Self.number(packet[16..<20]))))
        packetLength = total
        typeOfService = packet[1]
        identification = UInt32(Self.number(packet[4..<6]))
        let word = Int(Self.number(packet[6..<8]))
        doesNotFragment = word & 0x4000 != 0
        isFragment = word & 0x3fff != 0
        fragmentOffset = word & 0x1fff * 8
        timeToLive = packet[8]
        transportProtocol = packet[9]
        headerChecksum = ReferenceChecksum.internet(Array(packet[..<length])) == 0 ? .right : .wrong
        readSegment(Array(packet[length..<min(total, packet.count)]), isWhole: packet.count >= total)
    }

    private init?(v6 packet: [UInt8]) {
        guard packet.count >= 40, let length = Self.word(packet, 4) else { return nil }
        source = Endpoint(IPAddress(high: Self.number(packet[8..<16]), low: Self.number(packet[16..<24])))
        destination = Endpoint(IPAddress(high: Self.number(packet[24..<32]), low: Self.number(packet[32..<40])))
        packetLength = 40 + length
        typeOfService = UInt8(Self.number(packet[0..<2]) >> 4 & 0xff)
        timeToLive = packet[7]
        transportProtocol = packet[6]
        let end = min(packetLength, packet.count)
        var offset = 40
        while [0, 43, 44, 60].contains(transportProtocol), fragmentOffset == 0, offset + 8 <= end {
            if transportProtocol == 44 {
                let word = Int(Self.number(packet[offset + 2..<offset + 4]))
                identification = UInt32(Self.number(packet[offset + 4..<offset + 8]))
                isFragment = word & 0xfff9 != 0
                fragmentOffset = word & 0xfff8
            }
            let size = transportProtocol == 44 ? 8 : (Int(packet[offset + 1]) + 1) * 8
            transportProtocol = packet[offset]
            offset += size
        }
        guard offset <= end else { return nil }
        readSegment(Array(packet[offset..<end]), isWhole: packet.count >= packetLength)
    }

    static func word(_ bytes: [UInt8], _ offset: Int) -> Int? {
        offset + 2 <= bytes.count ? Int(bytes[offset]) << 8 | Int(bytes[offset + 1]) : nil
    }

    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}

extension PacketSummary {
    private mutating func readSegment(_ bytes: [UInt8], isWhole: Bool) {
        segment = bytes
        payload = bytes
        guard fragmentOffset == 0 else { return }
        let canJudge = isWhole && !isFragment
        switch transportProtocol {
        case IPProtocol.tcp:
            readPorts()
            guard bytes.count >= 20 else { return }
            flags = TCPFlags(rawValue: bytes[13])
            payload = Array(bytes.dropFirst(Int(bytes[12] >> 4) * 4))
            if canJudge { transportChecksum = judge(at: 16) }
        case IPProtocol.udp:
            readPorts()
            guard bytes.count >= 8 else { return }
            payload = Array(bytes.dropFirst(8))
            if canJudge { transportChecksum = bytes[6] == 0 && bytes[7] == 0 ? .absent : judge(at: 6) }
        case IPProtocol.sctp:
            readPorts()
            guard bytes.count >= 12 else { return }
            payload = Array(bytes.dropFirst(12))
            let crc = ReferenceChecksum.crc32c(bytes[..<8] + [0, 0, 0, 0] + bytes[12...])
            if canJudge { transportChecksum = Array(bytes[8..<12]) == crc.networkBytes.reversed() ? .right : .wrong }
        case IPProtocol.icmp, IPProtocol.icmpv6:
            guard bytes.count >= 8 else { return }
            icmpType = bytes[0]
            icmpCode = bytes[1]
            icmpRest = UInt32(Self.number(bytes[4..<8]))
            payload = Array(bytes.dropFirst(8))
            if canJudge { transportChecksum = judge(at: 2) }
        default:
            return
        }
    }

    private mutating func readPorts() {
        guard let from = Self.word(segment, 0), let to = Self.word(segment, 2) else { return }
        source.port = UInt16(from)
        destination.port = UInt16(to)
    }

    private func judge(at offset: Int) -> ChecksumVerdict {
        let pseudo =
            transportProtocol == IPProtocol.icmp
            ? []
            : ReferenceChecksum.pseudoHeader(
                source: source.address.wireBytes, destination: destination.address.wireBytes,
                transportProtocol: transportProtocol, length: segment.count)
        if ReferenceChecksum.internet(pseudo + segment) == 0 { return .right }
        let field = UInt16(Self.number(segment[offset..<offset + 2]))
        return !pseudo.isEmpty && field == ReferenceChecksum.sum(pseudo) ? .partial : .wrong
    }
}
