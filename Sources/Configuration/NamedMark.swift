public import Balancer
import Wire

/// A rule that marks packets, its interface by name.
public struct NamedMark: Hashable, Sendable {
    /// The rule, without an interface.
    public var rule: MarkRule
    /// The interface it is for; nil: all.
    public var interface: String?

    /// From both.
    public init(rule: MarkRule, interface: String? = nil) {
        self.rule = rule
        self.rule.interface = nil
        self.interface = interface
    }

    /// An engine's rule, whose interface is one of `interfaces`.
    public init(_ rule: MarkRule, interfaces: [String]) {
        let name = rule.interface.map { interfaces.indices.contains($0) ? interfaces[$0] : String($0) }
        self.init(rule: rule, interface: name)
    }

    /// An engine's rule, where the interface is one of `interfaces`; nil where it is not.
    public func resolved(_ interfaces: [String]) -> MarkRule? {
        guard let interface else { return rule }
        guard let slot = interfaces.firstIndex(of: interface) else { return nil }
        var rule = rule
        rule.interface = slot
        return rule
    }

    // MARK: As text

    /// The names of its fields, as options of `fairlead mark` and keys of a file.
    public static let fieldNames = ["src", "dst", "proto", "sport", "dport", "interface", "mark"]

    /// Its fields that are given, in the order of `fieldNames`.
    public var fields: [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let source = rule.source { fields.append(("src", Self.text(source, rule.sourceLength))) }
        if let destination = rule.destination {
            fields.append(("dst", Self.text(destination, rule.destinationLength)))
        }
        if let number = rule.transportProtocol {
            fields.append(("proto", Self.protocols.first { $0.number == number }?.name ?? String(number)))
        }
        if let port = rule.sourcePort { fields.append(("sport", String(port))) }
        if let port = rule.destinationPort { fields.append(("dport", String(port))) }
        if let interface { fields.append(("interface", interface)) }
        return fields + [("mark", String(rule.mark))]
    }

    private static func text(_ prefix: IPAddress, _ length: Int) -> String {
        length >= prefix.family.bits ? "\(prefix)" : "\(prefix)/\(length)"
    }

    /// Set a field.
    /// - Returns: why the value cannot be taken; nil when it was.
    public mutating func set(_ name: String, _ value: String) -> String? {
        switch name {
        case "src", "dst":
            guard let prefix = InterfaceAddress(value) else { return "not of the form ADDRESS or ADDRESS/BITS" }
            let masked = prefix.address.masked(prefix.prefixLength)
            guard prefix.address == masked else {
                return "bits are set behind the prefix; \(masked)/\(prefix.prefixLength) has none"
            }
            if name == "src" {
                (rule.source, rule.sourceLength) = (prefix.address, prefix.prefixLength)
            } else {
                (rule.destination, rule.destinationLength) = (prefix.address, prefix.prefixLength)
            }
        case "proto":
            let named = Self.protocols.first { $0.name == value }?.number
            guard let number = named ?? Self.number(value, 1...255).map({ UInt8($0) }) else {
                return "tcp, udp, sctp, icmp, icmpv6 or a number from 1 to 255"
            }
            rule.transportProtocol = number
        case "sport", "dport":
            guard let port = Self.number(value, 1...65535).map({ UInt16($0) }) else {
                return "a port from 1 to 65535 is wanted"
            }
            if name == "sport" { rule.sourcePort = port } else { rule.destinationPort = port }
        case "interface": interface = value
        case "mark":
            guard let mark = Self.number(value, 1...UInt32.max) else {
                return "a number from 1 to 4294967295 is wanted"
            }
            rule.mark = mark
        default: return "unknown; \(Self.fieldNames.joined(separator: " ")) are known"
        }
        return nil
    }

    /// Why the fields do not make a rule together; nil when they do. Field names are written with `prefix` in front.
    public func problem(prefix: String = "") -> String? {
        guard rule.mark != 0 else { return "\(prefix)mark is missing; it takes a number from 1 on" }
        guard let family = rule.family else {
            return "give \(prefix)dst or \(prefix)src: only packets to or from known addresses are taken"
        }
        guard rule.source == nil || rule.source?.family == family else {
            return "\(prefix)src and \(prefix)dst are of different families"
        }
        let hasPorts = rule.sourcePort != nil || rule.destinationPort != nil
        guard !hasPorts || rule.transportProtocol.map({ Transport($0) != nil }) ?? false else {
            return "\(prefix)sport and \(prefix)dport want \(prefix)proto tcp, udp or sctp"
        }
        return nil
    }

    private static func number(_ text: String, _ range: ClosedRange<UInt32>) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt32(text), range.contains(number)
        else { return nil }
        return number
    }

    private static let protocols: [(name: String, number: UInt8)] = [
        ("tcp", IPProtocol.tcp), ("udp", IPProtocol.udp), ("sctp", IPProtocol.sctp), ("icmp", IPProtocol.icmp),
        ("icmpv6", IPProtocol.icmpv6),
    ]
}

extension NamedMark: CustomStringConvertible {
    /// The words of `fairlead mark add`.
    public var description: String { fields.map { "--\($0.name) \($0.value)" }.joined(separator: " ") }
}
