import Balancer
import Wire

extension MarkRule {
    /// From the words of `mark add`: each option once, `--mark` and one of `--src`, `--dst` at least.
    init(words: ArraySlice<String>, interfaces: [String]) throws(UsageError) {
        var rule = MarkRule(mark: 0)
        var given: Set<String> = []
        var left = words
        while let option = left.popFirst() {
            guard given.insert(option).inserted else { throw UsageError("mark: \(option) is given twice") }
            guard let value = left.popFirst() else { throw UsageError("mark: \(option) wants a value") }
            try rule.take(option, value, interfaces)
        }
        guard rule.mark != 0 else { throw UsageError("mark: --mark is missing; it takes a number from 1 on") }
        guard let family = rule.family else {
            throw UsageError("mark: give --dst or --src: only packets to or from known addresses are taken")
        }
        guard rule.source == nil || rule.source?.family == family else {
            throw UsageError("mark: --src and --dst are of different families")
        }
        let hasPorts = rule.sourcePort != nil || rule.destinationPort != nil
        guard !hasPorts || rule.transportProtocol.map({ Transport($0) != nil }) ?? false else {
            throw UsageError("mark: --sport and --dport want --proto tcp, udp or sctp")
        }
        self = rule
    }

    private mutating func take(_ option: String, _ value: String, _ interfaces: [String]) throws(UsageError) {
        switch option {
        case "--src": (source, sourceLength) = try Self.prefix(option, value)
        case "--dst": (destination, destinationLength) = try Self.prefix(option, value)
        case "--proto":
            let named = Self.protocols.first { $0.name == value }?.number
            guard let number = named ?? RuleNumber.number(value, in: 1...255).map({ UInt8($0) }) else {
                throw UsageError("mark: --proto \(value): tcp, udp, sctp, icmp, icmpv6 or a number from 1 to 255")
            }
            transportProtocol = number
        case "--sport": sourcePort = try Self.port(option, value)
        case "--dport": destinationPort = try Self.port(option, value)
        case "--interface":
            guard let slot = interfaces.firstIndex(of: value) else {
                throw UsageError("mark: --interface \(value): not one of \(interfaces.joined(separator: ", "))")
            }
            interface = slot
        case "--mark":
            guard let number = RuleNumber.number(value, in: 1...Int64(UInt32.max)) else {
                throw UsageError("mark: --mark \(value): a number from 1 to 4294967295 is wanted")
            }
            mark = UInt32(number)
        default:
            throw UsageError(
                "mark: \(option): unknown; --src --dst --proto --sport --dport --interface --mark are known")
        }
    }

    private static func prefix(_ option: String, _ text: String) throws(UsageError) -> (IPAddress?, Int) {
        guard let prefix = InterfaceAddress(text) else {
            throw UsageError("mark: \(option) \(text): not of the form ADDRESS or ADDRESS/BITS")
        }
        guard prefix.address == prefix.address.masked(prefix.prefixLength) else {
            let masked = "\(prefix.address.masked(prefix.prefixLength))/\(prefix.prefixLength)"
            throw UsageError("mark: \(option) \(text): bits are set behind the prefix; \(masked) has none")
        }
        return (prefix.address, prefix.prefixLength)
    }

    private static func port(_ option: String, _ text: String) throws(UsageError) -> UInt16 {
        guard let number = RuleNumber.number(text, in: 1...65535) else {
            throw UsageError("mark: \(option) \(text): a port from 1 to 65535 is wanted")
        }
        return UInt16(number)
    }

    private static let protocols: [(name: String, number: UInt8)] = [
        ("tcp", IPProtocol.tcp), ("udp", IPProtocol.udp), ("sctp", IPProtocol.sctp), ("icmp", IPProtocol.icmp),
        ("icmpv6", IPProtocol.icmpv6),
    ]

    /// The words that make this rule again.
    func text(interfaces: [String]) -> String {
        var words: [String] = []
        if let source { words += ["--src", Self.text(source, sourceLength)] }
        if let destination { words += ["--dst", Self.text(destination, destinationLength)] }
        if let transportProtocol {
            let name = Self.protocols.first { $0.number == transportProtocol }?.name
            words += ["--proto", name ?? String(transportProtocol)]
        }
        if let sourcePort { words += ["--sport", String(sourcePort)] }
        if let destinationPort { words += ["--dport", String(destinationPort)] }
        if let interface {
            words += [
                "--interface", interfaces.indices.contains(interface) ? interfaces[interface] : String(interface),
            ]
        }
        return (words + ["--mark", String(mark)]).joined(separator: " ")
    }

    private static func text(_ prefix: IPAddress, _ length: Int) -> String {
        length >= prefix.family.bits ? "\(prefix)" : "\(prefix)/\(length)"
    }
}
