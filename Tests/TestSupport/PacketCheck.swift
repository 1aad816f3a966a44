public import Wire

/// One thing that a frame must be. Checks are put together and asked of a frame with `problems`:
/// `#expect(PacketCheck.problems(frame, .from("203.0.113.80:80"), .timeToLive(63), .checksumsRight) == [])`.
public struct PacketCheck: Sendable {
    private let judge: @Sendable (PacketSummary) -> [String]

    /// A check of one's own: `judge` says what is wrong, nothing if all is right.
    public init(_ judge: @escaping @Sendable (PacketSummary) -> [String]) { self.judge = judge }

    /// What is wrong with a frame; empty when it passes every check.
    public static func problems(_ frame: [UInt8], _ checks: PacketCheck...) -> [String] {
        guard let summary = PacketSummary(frame: frame) else { return ["not an IP packet: \(frame)"] }
        return checks.flatMap { $0.judge(summary) }
    }

    private static func equal<Value: Equatable>(
        _ name: String, _ wanted: Value, _ property: @escaping @Sendable (PacketSummary) -> Value
    ) -> PacketCheck where Value: Sendable {
        PacketCheck { summary in
            let found = property(summary)
            return found == wanted ? [] : ["\(name) is \(found), not \(wanted)"]
        }
    }

    /// Source address and port.
    public static func from(_ wanted: Endpoint) -> PacketCheck { equal("source", wanted) { $0.source } }
    /// Destination address and port.
    public static func to(_ wanted: Endpoint) -> PacketCheck { equal("destination", wanted) { $0.destination } }
    /// Source and destination MAC.
    public static func macs(from source: MACAddress, to destination: MACAddress) -> PacketCheck {
        PacketCheck { summary in
            (summary.sourceMAC == source ? [] : ["source MAC is \(summary.sourceMAC), not \(source)"])
                + (summary.destinationMAC == destination
                    ? [] : ["destination MAC is \(summary.destinationMAC), not \(destination)"])
        }
    }
    /// TTL or hop limit.
    public static func timeToLive(_ wanted: UInt8) -> PacketCheck { equal("TTL", wanted) { $0.timeToLive } }
    /// Type of service or traffic class.
    public static func typeOfService(_ wanted: UInt8) -> PacketCheck { equal("ToS", wanted) { $0.typeOfService } }
    /// Identification.
    public static func identification(_ wanted: UInt32) -> PacketCheck { equal("id", wanted) { $0.identification } }
    /// The don't-fragment bit.
    public static func doesNotFragment(_ wanted: Bool) -> PacketCheck { equal("DF", wanted) { $0.doesNotFragment } }
    /// The IP protocol.
    public static func transportProtocol(_ wanted: UInt8) -> PacketCheck {
        equal("protocol", wanted) { $0.transportProtocol }
    }
    /// Length of the IP packet in bytes.
    public static func packetLength(_ wanted: Int) -> PacketCheck { equal("length", wanted) { $0.packetLength } }
    /// TCP flags.
    public static func flags(_ wanted: TCPFlags) -> PacketCheck {
        equal("TCP flags", wanted.rawValue) { $0.flags?.rawValue }
    }
    /// ICMP type and code.
    public static func icmp(_ type: UInt8, _ code: UInt8) -> PacketCheck {
        equal("ICMP type and code", [type, code]) { [$0.icmpType, $0.icmpCode] }
    }
    /// What follows the transport header.
    public static func payload(_ wanted: [UInt8]) -> PacketCheck { equal("payload", wanted) { $0.payload } }
    /// How the transport's checksum stands.
    public static func transportChecksum(_ wanted: PacketSummary.ChecksumVerdict) -> PacketCheck {
        equal("transport checksum", wanted) { $0.transportChecksum }
    }
    /// All checksums right by summing everything anew; a fragment's or an unknown protocol's cannot be told.
    public static var checksumsRight: PacketCheck {
        PacketCheck { summary in
            (summary.headerChecksum == .right ? [] : ["header checksum is wrong"])
                + ([.right, .unknown].contains(summary.transportChecksum)
                    ? [] : ["transport checksum is \(summary.transportChecksum.rawValue)"])
        }
    }
    /// Checks of the packet that an ICMP error quotes (its checksums are mostly not to be told).
    public static func quoting(_ checks: PacketCheck...) -> PacketCheck {
        PacketCheck { within("quoted", $0.payload, checks) }
    }
    /// Checks of the packet within an IPIP or 6in6 packet.
    public static func inner(_ checks: PacketCheck...) -> PacketCheck {
        PacketCheck { within("inner", $0.payload, checks) }
    }

    private static func within(_ name: String, _ packet: [UInt8], _ checks: [PacketCheck]) -> [String] {
        guard let summary = PacketSummary(packet: packet) else { return ["\(name): not an IP packet: \(packet)"] }
        return checks.flatMap { $0.judge(summary) }.map { "\(name): \($0)" }
    }
}
