import Balancer
import Wire

/// Writes rules as YAML that `ConfigurationFile` reads again.
public struct ConfigurationText: Sendable {
    private let rules: RuleState

    /// For these rules.
    public init(_ rules: RuleState) { self.rules = rules }

    /// The text: a line for each part, so that two of them can be compared line by line.
    public var yaml: String {
        var text = ""
        if let timeouts = rules.timeouts {
            text += "timeouts: {tcp: \(timeouts.tcp), tcp_fin: \(timeouts.tcpFin), udp: \(timeouts.udp)}\n"
        }
        if !rules.settings.isEmpty {
            text += "settings:\n"
            for setting in Setting.allCases {
                if let value = rules.settings[setting] { text += "  \(setting.name): \(value)\n" }
            }
        }
        if !rules.marks.isEmpty {
            text += "marks:\n"
            for mark in rules.marks {
                let fields = mark.fields.map { "\($0.name): \(Self.quotedIfNeeded($0.value))" }
                text += "  - {\(fields.joined(separator: ", "))}\n"
            }
        }
        guard !rules.services.isEmpty else { return text + "services: []\n" }
        text += "services:\n"
        for service in rules.services { add(service, to: &text) }
        return text
    }

    private func add(_ part: RuleState.Service, to text: inout String) {
        let service = part.service
        switch service.key {
        case .address(let transportProtocol, let address, let port):
            text += "  - address: \(Self.text(DestinationKey(address: address, port: port)))\n"
            let name = ConfigurationReader.transports.first { $0.number == transportProtocol }?.name
            if let name, transportProtocol != IPProtocol.tcp { text += "    protocol: \(name)\n" }
        case .mark(let mark, let family):
            text += "  - fwmark: \(mark)\n"
            if family == .v6 { text += "    family: ipv6\n" }
        }
        text += "    scheduler: \(service.scheduler.name)\n"
        let flags = ConfigurationReader.flagNames.filter { service.schedulerFlags.contains($0.flag) }.map(\.name)
        if !flags.isEmpty { text += "    flags: [\(flags.joined(separator: ", "))]\n" }
        if service.tableSize != 0 { text += "    table_size: \(service.tableSize)\n" }
        if let persistence = service.persistence {
            text +=
                persistence.prefixLength == service.key.family.bits
                ? "    persistence: \(persistence.timeout)\n"
                : "    persistence: {timeout: \(persistence.timeout), prefix: \(persistence.prefixLength)}\n"
        }
        if service.isOnePacket { text += "    one_packet: true\n" }
        if service.clientAddress != .none,
            let name = ConfigurationReader.carriers.first(where: { $0.carrier == service.clientAddress })?.name
        {
            text += "    client_address: \(name)\n"
        }
        addLimits(of: service, to: &text)
        if !part.localAddresses.isEmpty {
            let list = part.localAddresses.map { "\"\($0)\"" }.joined(separator: ", ")
            text += "    local_addresses: [\(list)]\n"
        }
        guard !part.destinations.isEmpty else { return }
        let method = part.destinations[0].method
        text += "    method: \(Self.name(method))\n    destinations:\n"
        for destination in part.destinations { add(destination, method, to: &text) }
    }

    private func addLimits(of service: VirtualService, to text: inout String) {
        if let timeouts = service.timeouts {
            text += "    timeouts: {tcp: \(timeouts.tcp), tcp_fin: \(timeouts.tcpFin), udp: \(timeouts.udp)}\n"
        }
        if let rate = service.sourceRate {
            let period = ConfigurationReader.periods.first { $0.period == rate.period }?.name ?? "second"
            text +=
                "    source_rate: {connections: \(rate.connections), period: \(period), burst: \(rate.burst), "
                + "prefix: \(rate.prefixLength)}\n"
        }
        switch service.masquerade {
        case nil: break
        case .all: text += "    masquerade: all\n"
        case .loops: text += "    masquerade: loops\n"
        case .nodePort: text += "    masquerade: node-port\n"
        case .outside(let prefix): text += "    masquerade: \"\(prefix)\"\n"
        }
    }

    private func add(_ destination: Destination, _ method: ForwardingMethod, to text: inout String) {
        let address = Self.text(destination.key)
        var fields: [String] = []
        if destination.weight != 1 { fields.append("weight: \(destination.weight)") }
        if destination.method != method { fields.append("method: \(Self.name(destination.method))") }
        if destination.upperThreshold != 0 { fields.append("upper_threshold: \(destination.upperThreshold)") }
        if destination.lowerThreshold != 0 { fields.append("lower_threshold: \(destination.lowerThreshold)") }
        if destination.method == .tunneling, destination.tunnel != TunnelOptions() {
            fields.append("tunnel: {\(Self.words(destination.tunnel))}")
        }
        guard !fields.isEmpty else {
            text += "      - \(address)\n"
            return
        }
        text += "      - {address: \(Self.quoted(destination.key)), \(fields.joined(separator: ", "))}\n"
    }

    private static func words(_ tunnel: TunnelOptions) -> String {
        let kind = ConfigurationReader.tunnelKinds.first { $0.kind == tunnel.kind }?.name ?? "ipip"
        let sum = ConfigurationReader.checksums.first { $0.checksum == tunnel.checksum }?.name ?? "none"
        let port = tunnel.kind == .gue ? ", port: \(tunnel.port)" : ""
        return "kind: \(kind)\(port)" + (tunnel.checksum == .none ? "" : ", checksum: \(sum)")
    }

    private static func name(_ method: ForwardingMethod) -> String {
        // A local node is what direct routing becomes where the destination is the director itself.
        ConfigurationReader.methods.first { $0.method == method }?.name ?? "dr"
    }

    /// In quotes where brackets would begin a list.
    private static func text(_ key: DestinationKey) -> String { key.address.isV4 ? key.title : "\"\(key.title)\"" }

    /// IPv6 addresses and names of interfaces are quoted, since colons and other signs mean something in YAML.
    private static func quotedIfNeeded(_ text: String) -> String {
        text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "." || $0 == "/" } ? text : "\"\(text)\""
    }

    /// Inside braces.
    private static func quoted(_ key: DestinationKey) -> String { "\"\(key.title)\"" }
}
