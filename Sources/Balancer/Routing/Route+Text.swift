public import Wire

/// Why a text is no route.
public struct RouteParseError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text.
    public let text: String
    /// What is wrong with it.
    public let reason: String

    /// One line for the user.
    public var description: String { "route \"\(text)\": \(reason)" }
}

/// An address with an optional `/LENGTH`; without it, the whole address.
func parsePrefix(_ text: Substring) -> (IPAddress, Int)? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = IPAddress(parsing: parts[0]) else { return nil }
    guard parts.count == 2 else { return (address, address.family.bits) }
    guard parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(parts[1]),
        length <= address.family.bits
    else { return nil }
    return (address, length)
}

extension Route {
    /// From what `ip route add` takes and `ip route show` prints: `default via 192.0.2.254`,
    /// `10.0.9.0/24 via 10.0.2.254 dev eth1 src 10.0.2.1 mtu 1400 metric 10`, `unreachable 172.16.1.0/24`,
    /// `local 203.0.113.0/24 dev lo`. Leading words `ip`, `-4`, `-6`, `route`, `add` or `replace` are passed over;
    /// `proto`, `scope`, `pref`, `onlink` and the like say nothing to us.
    ///
    /// - Parameters:
    ///   - text: The words.
    ///   - interfaces: Where a `dev` is looked up, and the gateway when there is no `dev`. An interface that is not
    ///     among them gives slot -1.
    ///   - family: The family of a `default` without a gateway; IPv4 unless given.
    /// - Throws: `RouteParseError`.
    public init(
        parsing text: String, interfaces: [NetworkInterface], family: AddressFamily? = nil
    ) throws(RouteParseError) {
        func failure(_ reason: String) -> RouteParseError { RouteParseError(text: text, reason: reason) }
        var words = text.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
        var family = family
        while let word = words.first, ["ip", "-4", "-6", "route", "add", "replace"].contains(word) {
            if word.hasPrefix("-") { family = word == "-6" ? .v6 : .v4 }
            words.removeFirst()
        }
        let kind = words.first.flatMap { Self.kinds[String($0)] }
        if kind != nil { words.removeFirst() }
        guard let prefix = words.popFirst() else { throw failure("no destination") }

        var options = Options()
        while let name = words.popFirst() {
            guard !Options.flags.contains(String(name)) else { continue }
            guard var value = words.popFirst() else { throw failure("\(name) needs a value") }
            if ["inet", "inet6", "lock"].contains(value), let next = words.popFirst() { value = next }
            if let reason = options.take(name, value) { throw failure(reason) }
        }

        let parsed: (IPAddress, Int)?
        if prefix == "default" {
            let isV4 = (options.gateway?.family ?? family ?? .v4) == .v4
            parsed = (isV4 ? .anyV4 : .anyV6, 0)
        } else {
            parsed = parsePrefix(prefix)
        }
        guard let (destination, length) = parsed else { throw failure("\(prefix) is no prefix") }
        self.init(
            destination: destination.masked(length), prefixLength: length, kind: kind ?? .unicast,
            gateway: options.gateway, interface: options.interface(among: interfaces), source: options.source,
            mtu: options.mtu, metric: options.metric ?? (destination.isV4 ? 0 : 1024),
            isInLocalTable: options.table.map { $0 == "local" })
    }

    private static let kinds: [String: RouteKind] = [
        "unicast": .unicast, "local": .local, "broadcast": .broadcast, "unreachable": .unreachable,
        "blackhole": .blackhole, "prohibit": .prohibit, "throw": .missing,
    ]
}

/// The words after a route's prefix.
private struct Options {
    /// Words that stand alone.
    static let flags: Set<String> = ["onlink", "pervasive", "linkdown", "dead", "offload", "trap"]

    var gateway: IPAddress?
    var device: String?
    var source: IPAddress?
    var mtu = 0
    var metric: UInt32?
    var table: String?

    /// Take one option. Returns what is wrong with it, nil when nothing is.
    mutating func take(_ name: Substring, _ value: Substring) -> String? {
        switch name {
        case "via", "src":
            guard let address = IPAddress(parsing: value) else { return "\(value) is no address" }
            if name == "via" { gateway = address } else { source = address }
        case "dev": device = String(value)
        case "mtu":
            guard let number = Int(value), number > 0 else { return "\(value) is no MTU" }
            mtu = number
        case "metric", "preference", "priority":
            guard let number = UInt32(value) else { return "\(value) is no metric" }
            metric = number
        case "table": table = String(value)
        case "proto", "protocol", "scope", "pref", "tos", "advmss", "hoplimit", "window", "rtt", "initcwnd", "expires":
            break
        default: return "\(name) is not understood"
        }
        return nil
    }

    func interface(among interfaces: [NetworkInterface]) -> Int {
        if let device { return interfaces.first { $0.name == device }?.slot ?? -1 }
        guard let gateway else { return -1 }
        var best: (slot: Int, length: Int) = (-1, -1)
        for interface in interfaces {
            for entry in interface.addresses where entry.contains(gateway) && entry.prefixLength > best.length {
                best = (interface.slot, entry.prefixLength)
            }
        }
        return best.slot
    }
}
