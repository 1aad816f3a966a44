import Configuration
public import Foundation

/// What a saved state says of itself: the first lines of its file.
public struct StateHead: Hashable, Sendable, Codable {
    /// Grows with every state of a folder.
    public var serial: Int
    /// When it came into force.
    public var time: Date
    /// What brought it about, e.g. `apply fairlead.yaml`.
    public var origin: String
    /// Services in it.
    public var services: Int
    /// Destinations in it, of all services.
    public var destinations: Int
    /// Bytes of the rules' text.
    public var bytes: Int
    /// FNV-1a, 64 bits, of the rules' text, in 16 hexadecimal digits.
    public var checksum: String
}

/// A saved state: comment lines that say what it is and how much must follow, then the rules as a `fairlead.yaml`.
///
/// ```
/// # fairlead state 1
/// # serial 12
/// # time 2026-11-23T08:31:47Z
/// # origin apply fairlead.yaml
/// # services 3 destinations 9
/// # rules 1234 bytes fnv1a 0123456789abcdef
/// ```
struct StateFile: Hashable {
    static let firstLine = "# fairlead state 1"
    private static let headLines = 6

    var head: StateHead
    /// The rules as YAML.
    var rules: String

    init(serial: Int, time: Date, origin: String, rules: RuleState) {
        let text = ConfigurationText(rules).yaml
        self.rules = text
        head = StateHead(
            serial: serial, time: time, origin: origin.replacing("\n", with: " "), services: rules.services.count,
            destinations: rules.destinationCount, bytes: text.utf8.count, checksum: Self.checksum(text))
    }

    /// What is written.
    var text: String {
        """
        \(Self.firstLine)
        # serial \(head.serial)
        # time \(head.time.formatted(.iso8601))
        # origin \(head.origin)
        # services \(head.services) destinations \(head.destinations)
        # rules \(head.bytes) bytes fnv1a \(head.checksum)

        """ + rules
    }

    /// Read what was written.
    /// - Throws: why it is not to be used.
    init(_ data: Data) throws(ControlError) {
        guard !data.isEmpty else { throw ControlError("it is empty") }
        let text = String(decoding: data, as: UTF8.self)
        var lines: [Substring] = []
        var rest = text[...]
        while lines.count < Self.headLines, let end = rest.utf8.firstIndex(of: 10) {
            lines.append(rest[..<end])
            rest = rest[rest.utf8.index(after: end)...]
        }
        guard lines.first.map(String.init) == Self.firstLine else {
            throw ControlError("it is no state of this Fairlead: its first line is not \"\(Self.firstLine)\"")
        }
        guard lines.count == Self.headLines, let head = Self.head(lines) else {
            throw ControlError("its first lines are damaged or cut off")
        }
        let body = String(rest)
        guard body.utf8.count == head.bytes else {
            throw ControlError("it is torn: \(body.utf8.count) of \(head.bytes) bytes of rules are there")
        }
        guard Self.checksum(body) == head.checksum else {
            throw ControlError("it was changed since it was written: its checksum is another one")
        }
        self.head = head
        rules = body
    }

    private static func head(_ lines: [Substring]) -> StateHead? {
        func value(_ place: Int, _ name: String) -> String? {
            let prefix = "# \(name) "
            return lines[place].hasPrefix(prefix) ? String(lines[place].dropFirst(prefix.count)) : nil
        }
        guard let serial = value(1, "serial").flatMap({ Int($0) }),
            let time = value(2, "time").flatMap({ try? Date($0, strategy: .iso8601) }),
            let origin = value(3, "origin"),
            let counts = value(4, "services")?.split(separator: " "), counts.count == 3,
            let services = Int(counts[0]), let destinations = Int(counts[2]),
            let rules = value(5, "rules")?.split(separator: " "), rules.count == 4, let bytes = Int(rules[0])
        else { return nil }
        return StateHead(
            serial: serial, time: time, origin: origin, services: services, destinations: destinations, bytes: bytes,
            checksum: String(rules[3]))
    }

    /// FNV-1a (Fowler, Noll, Vo), 64 bits: against torn and altered files, not against malice.
    static func checksum(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The rules, read.
    func ruleState() throws(ControlError) -> RuleState {
        do throws(ConfigurationError) {
            return try ConfigurationFile(saved: rules).rules
        } catch {
            throw ControlError("its rules cannot be read: \(error)")
        }
    }
}
