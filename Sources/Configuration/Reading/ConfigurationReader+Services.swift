import Balancer
import Wire
import Yams

extension ConfigurationReader {
    static let serviceKeys = [
        "address", "protocol", "fwmark", "family", "scheduler", "flags", "table_size", "persistence", "one_packet",
        "method", "pool", "local_addresses", "client_address", "expected_connections", "destinations", "timeouts",
        "source_rate", "masquerade",
    ]
    static let persistenceKeys = ["timeout", "prefix"]
    /// The word for each forwarding method.
    static let methods: [(name: String, method: ForwardingMethod)] = [
        ("nat", .masquerading), ("dr", .directRouting), ("tunnel", .tunneling), ("fullnat", .fullNAT),
    ]
    static let carriers: [(name: String, carrier: ClientAddressCarrier)] = [
        ("none", .none), ("toa", .tcpOption), ("proxy", .proxyProtocol),
    ]
    static let flagNames: [(name: String, flag: SchedulerFlags)] = [
        ("fallback", .fallback), ("port", .port), ("flag-3", .third),
    ]
    static let transports: [(name: String, number: UInt8)] = [
        ("tcp", IPProtocol.tcp), ("udp", IPProtocol.udp), ("sctp", IPProtocol.sctp),
    ]

    mutating func service(_ node: Node) -> ConfigurationFile.Service? {
        let fields = document.fields(node, of: "a service", known: Self.serviceKeys)
        guard !fields.isEmpty || node.mapping != nil, let key = key(fields, node) else { return nil }
        var service = VirtualService(key: key)
        readScheduler(fields, &service)
        if let node = fields["persistence"] { service.persistence = persistence(node, key.family) }
        service.prefixLength = service.persistence?.prefixLength ?? key.family.bits
        if let node = fields["one_packet"] { service.isOnePacket = document.flag(node, "one_packet") ?? false }
        if let node = fields["client_address"],
            let word = document.choice(node, "client_address", among: Self.carriers.map(\.name))
        {
            service.clientAddress = Self.carriers.first { $0.name == word }?.carrier ?? .none
        }
        if let node = fields["timeouts"] { service.timeouts = serviceTimeouts(node) }
        if let node = fields["source_rate"] { service.sourceRate = sourceRate(node, key.family) }
        if let node = fields["masquerade"] { service.masquerade = masquerade(node, key.family) }
        let localAddresses = localAddresses(fields, node)
        let method = fields["method"].flatMap { self.method($0) }
        if fields["method"] == nil, !(fields["destinations"]?.sequence?.isEmpty ?? true) {
            document.reject(node, "\(key.title) needs a method: nat, dr, tunnel or fullnat")
        }
        var destinations: [Destination] = []
        var lines: [Int] = []
        for part in fields["destinations"].map({ document.list($0, "destinations") }) ?? [] {
            guard
                let destination = destination(
                    part, service: service, method: method ?? .masquerading, localAddresses: localAddresses)
            else { continue }
            destinations.append(destination)
            lines.append(part.mark?.line ?? 0)
        }
        check(service, fields, node)
        return ConfigurationFile.Service(
            rule: RuleState.Service(service: service, destinations: destinations, localAddresses: localAddresses),
            expectedConnections: fields["expected_connections"].flatMap {
                document.number($0, "expected_connections", 0...Int(UInt32.max))
            }, line: node.mark?.line ?? 0, destinationLines: lines)
    }

    // MARK: What a service is known by

    private mutating func key(_ fields: [String: Node], _ node: Node) -> ServiceKey? {
        if let mark = fields["fwmark"] {
            for other in ["address", "protocol"] {
                if let node = fields[other] { document.reject(node, "a service has a fwmark or \(other), not both") }
            }
            let family = fields["family"].flatMap { document.choice($0, "family", among: ["ipv4", "ipv6"]) }
            return document.number(mark, "fwmark", 1...Int(UInt32.max)).map {
                .mark(UInt32($0), family: family == "ipv6" ? .v6 : .v4)
            }
        }
        if let node = fields["family"] { document.reject(node, "family belongs to a fwmark; the address has its own") }
        guard let address = fields["address"] else {
            document.reject(node, "a service needs an address, as 198.51.100.80:80, or a fwmark")
            return nil
        }
        let word = fields["protocol"].flatMap { document.choice($0, "protocol", among: Self.transports.map(\.name)) }
        guard let text = document.text(address, "a service's address") else { return nil }
        guard let endpoint = Self.endpoint(text), let port = endpoint.port else {
            document.reject(
                address,
                "\"\(text)\" is no address with a port; one is written 198.51.100.80:80 or \"[2001:db8::80]:80\"")
            return nil
        }
        let number = Self.transports.first { $0.name == word }?.number ?? IPProtocol.tcp
        return .address(transportProtocol: number, address: endpoint.address, port: port)
    }

    /// `198.51.100.80:80`, `[2001:db8::80]:80`, or an address without a port.
    static func endpoint(_ text: String) -> (address: IPAddress, port: UInt16?)? {
        if let address = IPAddress(text) { return (address, nil) }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            return IPAddress(parsing: host.dropFirst().dropLast()).flatMap { $0.isV4 ? nil : ($0, port) }
        }
        return IPAddress(parsing: host).flatMap { $0.isV4 ? ($0, port) : nil }
    }

    // MARK: How destinations are chosen

    private mutating func readScheduler(_ fields: [String: Node], _ service: inout VirtualService) {
        if let node = fields["scheduler"],
            let word = document.choice(node, "scheduler", among: SchedulerKind.allCases.map(\.name))
        {
            service.scheduler = SchedulerKind(name: word) ?? service.scheduler
        }
        for part in fields["flags"].map({ document.list($0, "flags") }) ?? [] {
            guard let word = document.choice(part, "flag", among: Self.flagNames.map(\.name)),
                let flag = Self.flagNames.first(where: { $0.name == word })?.flag
            else { continue }
            if !isSaved, flag != .third, !service.scheduler.flags.contains(flag) {
                document.reject(part, "scheduler \(service.scheduler.name) has no flag \"\(word)\"")
            }
            service.schedulerFlags.insert(flag)
        }
        if let node = fields["table_size"], let size = document.number(node, "table_size", 1...1 << 20) {
            let sizes = service.scheduler.tableSizes
            if sizes.isEmpty {
                document.reject(node, "scheduler \(service.scheduler.name) takes no table_size; maglev does")
            } else if !sizes.contains(size) {
                let list = sizes.map { "\($0)" }.joined(separator: ", ")
                document.reject(node, "table_size of \(service.scheduler.name) is one of \(list)")
            }
            service.tableSize = size
        }
    }

    private mutating func persistence(_ node: Node, _ family: AddressFamily) -> Persistence? {
        var persistence = Persistence(timeout: Persistence.defaultTimeout, prefixLength: family.bits)
        guard node.mapping != nil else {
            guard let seconds = document.number(node, "persistence", 1...Self.longestTimeout) else { return nil }
            persistence.timeout = UInt32(seconds)
            return persistence
        }
        let fields = document.fields(node, of: "persistence", known: Self.persistenceKeys)
        if let part = fields["timeout"],
            let seconds = document.number(part, "persistence timeout", 1...Self.longestTimeout)
        {
            persistence.timeout = UInt32(seconds)
        }
        let shortest = family == .v4 ? 0 : 1
        if let part = fields["prefix"],
            let length = document.number(part, "persistence prefix", shortest...family.bits)
        {
            persistence.prefixLength = length
        }
        return persistence
    }

    private mutating func localAddresses(_ fields: [String: Node], _ node: Node) -> [IPAddress] {
        if let pool = fields["pool"], let list = fields["local_addresses"] {
            document.reject(pool, "a service has a pool or local_addresses, not both")
            return addresses(list, "local_addresses")
        }
        if let list = fields["local_addresses"] { return addresses(list, "local_addresses") }
        guard let node = fields["pool"], let name = document.text(node, "pool") else { return [] }
        guard let addresses = pools[name] else {
            let known = pools.keys.sorted()
            document.reject(
                node,
                "there is no pool \"\(name)\""
                    + (known.isEmpty ? "; define it under pools" : NearestWord.hint(name, among: known)))
            return []
        }
        return addresses
    }

    mutating func method(_ node: Node) -> ForwardingMethod? {
        guard let word = document.choice(node, "method", among: Self.methods.map(\.name)) else { return nil }
        return Self.methods.first { $0.name == word }?.method
    }

    /// What ipvsadm and the kernel refuse.
    private mutating func check(_ service: VirtualService, _ fields: [String: Node], _ node: Node) {
        guard !isSaved, case .address(let transportProtocol, let address, let port) = service.key else { return }
        let place = fields["address"] ?? node
        if port == 0, service.persistence == nil {
            document.reject(place, "port 0 stands for every port and needs persistence")
        }
        if service.isOnePacket, transportProtocol != IPProtocol.udp {
            document.reject(fields["one_packet"] ?? node, "one_packet is for protocol udp only")
        }
        if address.isUnspecified || address.isMulticast {
            document.reject(place, "\(address) is no address that clients can connect to")
        }
        if !service.clientAddress.isUsable(with: transportProtocol) {
            let usable = service.clientAddress == .tcpOption ? "tcp only" : "tcp and udp only"
            document.reject(fields["client_address"] ?? node, "this client_address is for protocol \(usable)")
        }
    }
}
