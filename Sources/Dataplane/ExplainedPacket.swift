import Balancer
import Wire

/// One packet's way in words: what it was, what was found, what was decided, what left.
public struct ExplainedPacket: Sendable {
    /// A sentence a line, in the order of events.
    public let lines: [String]
    /// How the frame ended, in a word.
    public let end: String

    /// From a director's notes; the frames' first bytes show what was rewritten.
    public init(_ trace: DecisionTrace, interface: Int, received: [UInt8], sent: [[UInt8]]) {
        var lines: [String] = []
        var end = "forward"
        var service: ServiceRecord?
        for place in 0..<trace.count {
            lines.append(Self.sentence(trace[place], interface: interface))
            if case .service(let record) = trace[place] { service = record }
            if case .made(let entry) = trace[place], let service { lines += Self.masquerade(entry, service) }
            if case .drop(let reason) = trace[place] { end = "drop(\(reason.name))" }
            if case .pass = trace[place] { end = sent.isEmpty ? "pass" : "reply" }
        }
        for frame in sent { lines += Self.changes(received, frame) }
        self.lines = lines
        self.end = end
    }

    private static func endpoint(_ address: some CustomStringConvertible, _ port: UInt16) -> String {
        let text = address.description
        return text.contains(":") ? "[\(text)]:\(port)" : "\(text):\(port)"
    }

    private static func protocolName(_ number: UInt8) -> String {
        switch number {
        case IPProtocol.tcp: "TCP"
        case IPProtocol.udp: "UDP"
        case IPProtocol.sctp: "SCTP"
        case IPProtocol.icmp: "ICMP"
        case IPProtocol.icmpv6: "ICMPv6"
        default: "protocol \(number)"
        }
    }

    private static func sentence(_ fact: DecisionTrace.Fact, interface: Int) -> String {
        switch fact {
        case .received(let packet):
            let key = packet.key
            let flags = packet.transportProtocol == IPProtocol.tcp ? ", flags \(flags(packet.flags))" : ""
            let mark = packet.mark == 0 ? "" : ", mark \(packet.mark) by a rule that marks packets"
            return "received on interface \(interface): \(protocolName(key.transportProtocol)) "
                + "\(endpoint(key.source, key.sourcePort)) > \(endpoint(key.destination, key.destinationPort)), "
                + "\(packet.networkLength) bytes, TTL \(packet.timeToLive)\(flags)\(mark)"
        case .noService:
            return "no virtual service has this protocol, address and port"
        case .service(let record):
            let name = record.mark != 0 ? "fwmark \(record.mark)" : endpoint(record.address, record.port)
            return "virtual service \(name), scheduler \(record.scheduler.name), \(record.count) real servers"
        case .scheduled(let record, let place, let slots):
            return scheduled(record, place, slots)
        case .template(let entry):
            return
                "a persistence template of \(entry.client) chose \(endpoint(entry.destination, entry.destinationPort))"
        case .made(let entry):
            return "a connection entry was made: \(describe(entry))"
        case .entry(let entry, let direction):
            return
                "it belongs to a connection entry (\(direction == .request ? "request" : "reply")): \(describe(entry))"
        case .state(let change, let transport, let entry):
            let seconds = entry.timeout / Ticks.perSecond
            let names = (transport.name(of: change.old), transport.name(of: change.new))
            return names.0 == names.1
                ? "state stays \(names.1), timer restarted at \(seconds) s"
                : "state \(names.0) becomes \(names.1), timer \(seconds) s"
        case .routed(let route, let mac):
            return "leaves by interface \(route.interface), next hop \(route.nextHop) at \(mac?.description ?? "?")"
        case .waitsForFragments(let packet):
            return
                "a fragment from byte \(packet.fragmentOffset) on, \(packet.key.source) > \(packet.key.destination): "
                + "waits for the others"
        case .assembled(let count):
            return "the last of \(count) fragments: put together"
        case .wrapped(let kind, let overhead):
            return "wrapped for the tunnel: \(kind), \(overhead) bytes before it"
        case .waits(let route):
            return "waits for the MAC of its next hop \(route.nextHop) on interface \(route.interface)"
        case .sent(let interface, let length):
            return "forwarded: \(length) bytes on interface \(interface)"
        case .handedToHost:
            return "the real server is this host: given to its stack"
        case .pass:
            return "left to the host: not balanced"
        case .drop(let reason):
            return "dropped, \(reason.name): \(reason.explanation)"
        }
    }

    private static func describe(_ entry: ConnectionEntry) -> String {
        "\(endpoint(entry.client, entry.clientPort)) -> \(endpoint(entry.virtual, entry.virtualPort)) -> "
            + "\(endpoint(entry.destination, entry.destinationPort)), \(entry.method.listedName)"
            + (entry.localPort == 0 ? "" : ", local \(endpoint(entry.local, entry.localPort))")
    }

    /// Why a new connection to a NAT destination leaves under a local address.
    private static func masquerade(_ entry: ConnectionEntry, _ service: ServiceRecord) -> [String] {
        guard entry.isFullNAT, let rule = service.masquerade else { return [] }
        for place in 0..<service.count {
            let destination = service.destination(place)
            guard destination.slot == entry.destinationSlot, destination.method == .masquerading else { continue }
            return ["its client is masqueraded: \(reason(rule, isLoop: entry.client == entry.destination))"]
        }
        return []
    }

    private static func reason(_ rule: MasqueradeRule, isLoop: Bool) -> String {
        if isLoop { return "it is the real server itself" }
        switch rule {
        case .loops: return "it is the real server itself"
        case .outside(let prefix): return "it is outside \(prefix)"
        case .nodePort: return "the service is at an address of the node"
        case .all: return "all clients of the service are"
        }
    }

    private static func scheduled(_ record: ServiceRecord, _ place: Int?, _ slots: StateSlots) -> String {
        let shown = (0..<min(record.count, 8)).map { index -> String in
            let destination = record.destination(index)
            let state = slots.destination(destination.slot)
            let mark = index == place ? "*" : ""
            let name = endpoint(destination.address, destination.port)
            return "\(mark)\(name) (weight \(state.weight), active \(state.active), inactive \(state.inactive))"
        }
        let rest = record.count > 8 ? ", …" : ""
        guard place != nil else {
            return "\(record.scheduler.name) found no usable real server: \(shown.joined(separator: ", "))"
        }
        return "\(record.scheduler.name) chose the one with a star: \(shown.joined(separator: ", "))\(rest)"
    }

    private static func flags(_ flags: TCPFlags) -> String {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        let set = names.indices.filter { flags.rawValue >> UInt8($0) & 1 != 0 }.map { names[$0] }
        return set.isEmpty ? "none" : set.joined(separator: "+")
    }

    /// Which bytes of the headers differ. A frame whose headers lie elsewhere (a tunnel's, or an error about the packet) is
    /// shown as it begins.
    private static func changes(_ before: [UInt8], _ after: [UInt8]) -> [String] {
        guard before.count == after.count, before.count >= 34, before[12] == 8, before[13] == 0,
            before[14..<18] == after[14..<18], before[23] == after[23]
        else {
            return ["sent a frame that begins \(hexadecimal(after.prefix(54)))"]
        }
        let transport = 14 + Int(before[14] & 0xf) * 4
        var fields: [(String, Range<Int>)] = [
            ("destination MAC", 0..<6), ("source MAC", 6..<12), ("TTL", 22..<23), ("IP checksum", 24..<26),
            ("source address", 26..<30), ("destination address", 30..<34),
            ("source port", transport..<transport + 2), ("destination port", transport + 2..<transport + 4),
        ]
        if before[23] == IPProtocol.tcp { fields.append(("TCP checksum", transport + 16..<transport + 18)) }
        if before[23] == IPProtocol.udp { fields.append(("UDP checksum", transport + 6..<transport + 8)) }
        return fields.compactMap { name, range in
            guard range.upperBound <= before.count, before[range] != after[range] else { return nil }
            return "rewritten \(name): \(hexadecimal(before[range])) -> \(hexadecimal(after[range]))"
        }
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
