import Balancer
import Wire
import Yams

/// Options of a service that ipvsadm does not have.
extension ConfigurationReader {
    static let sourceRateKeys = ["connections", "period", "burst", "prefix"]
    static let periods: [(name: String, period: SourceRate.Period)] = [
        ("second", .second), ("minute", .minute), ("hour", .hour),
    ]

    /// Timeouts of one service; 0, or left out: as the settings say.
    mutating func serviceTimeouts(_ node: Node) -> Timeouts {
        let fields = document.fields(node, of: "a service's timeouts", known: Self.timeoutKeys)
        func seconds(_ key: String) -> UInt32 {
            UInt32(fields[key].flatMap { document.number($0, "timeout \(key)", 0...Self.longestTimeout) } ?? 0)
        }
        return Timeouts(tcp: seconds("tcp"), tcpFin: seconds("tcp_fin"), udp: seconds("udp"))
    }

    mutating func sourceRate(_ node: Node, _ family: AddressFamily) -> SourceRate? {
        let fields = document.fields(node, of: "source_rate", known: Self.sourceRateKeys)
        guard let part = fields["connections"] else {
            document.reject(node, "source_rate needs connections, the new ones that a source may open in a period")
            return nil
        }
        let largest = Int(SourceRate.largest)
        guard let connections = document.number(part, "connections", 1...largest) else { return nil }
        let word = fields["period"].flatMap { document.choice($0, "period", among: Self.periods.map(\.name)) }
        let rate = SourceRate(
            connections: UInt32(connections), period: Self.periods.first { $0.name == word }?.period ?? .second,
            burst: fields["burst"].flatMap { document.number($0, "burst", 1...largest) }.map { UInt32($0) },
            prefixLength: fields["prefix"].flatMap { document.number($0, "prefix", 1...family.bits) }, family: family)
        guard rate.isUsable(family) else {
            document.reject(node, "a burst must be refilled within 10 days")
            return nil
        }
        return rate
    }

    /// `all`, `loops`, `node-port`, or a prefix: clients outside it.
    mutating func masquerade(_ node: Node, _ family: AddressFamily) -> MasqueradeRule? {
        guard let word = document.text(node, "masquerade") else { return nil }
        switch word {
        case "all": return .all
        case "loops": return .loops
        case "node-port": return .nodePort
        default:
            guard let prefix = AddressPrefix(word), prefix.address.family == family else {
                document.reject(
                    node,
                    "masquerade is all, loops, node-port, or the prefix of the service's family outside of which "
                        + "clients are masqueraded, not \"\(word)\"")
                return nil
            }
            return .outside(prefix)
        }
    }
}
