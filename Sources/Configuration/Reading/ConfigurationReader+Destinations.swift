import Balancer
import Wire
import Yams

extension ConfigurationReader {
    static let destinationKeys = ["address", "weight", "method", "upper_threshold", "lower_threshold", "tunnel"]
    static let tunnelKeys = ["kind", "port", "checksum"]
    static let tunnelKinds: [(name: String, kind: TunnelKind)] = [("ipip", .ipip), ("gue", .gue), ("gre", .gre)]
    static let checksums: [(name: String, checksum: TunnelChecksum)] = [
        ("none", .none), ("full", .full), ("remote", .remote),
    ]

    /// A destination: its address, or a mapping.
    mutating func destination(
        _ node: Node, service: VirtualService, method: ForwardingMethod, localAddresses: [IPAddress]
    ) -> Destination? {
        guard node.mapping != nil else {
            return destinationKey(node, service.key).flatMap { key in
                let destination = Destination(key: key, method: method)
                return isSound(destination, service, localAddresses, node) ? destination : nil
            }
        }
        let fields = document.fields(node, of: "a destination", known: Self.destinationKeys)
        guard let address = fields["address"] else {
            document.reject(node, "a destination needs an address, as 10.0.2.11:80")
            return nil
        }
        guard let key = destinationKey(address, service.key) else { return nil }
        var destination = Destination(key: key, method: fields["method"].flatMap { self.method($0) } ?? method)
        if let node = fields["weight"], let weight = document.number(node, "weight", 0...Int(Int32.max)) {
            destination.weight = Int32(weight)
        }
        if let node = fields["upper_threshold"],
            let limit = document.number(node, "upper_threshold", 0...Int(UInt32.max))
        {
            destination.upperThreshold = UInt32(limit)
        }
        if let node = fields["lower_threshold"],
            let limit = document.number(node, "lower_threshold", 0...Int(UInt32.max))
        {
            destination.lowerThreshold = UInt32(limit)
            if destination.lowerThreshold > destination.upperThreshold {
                document.reject(
                    node, "lower_threshold \(limit) is above upper_threshold \(destination.upperThreshold)")
            }
        }
        if let node = fields["tunnel"] {
            if destination.method == .tunneling {
                destination.tunnel = tunnel(node)
            } else {
                document.reject(node, "tunnel options are for the method tunnel only")
            }
        }
        return isSound(destination, service, localAddresses, node) ? destination : nil
    }

    private mutating func destinationKey(_ node: Node, _ service: ServiceKey) -> DestinationKey? {
        guard let text = document.text(node, "a destination's address") else { return nil }
        guard let endpoint = Self.endpoint(text) else {
            document.reject(
                node, "\"\(text)\" is no address; one is written 10.0.2.11:80, 10.0.2.11 or \"[2001:db8::11]:80\"")
            return nil
        }
        return DestinationKey(address: endpoint.address, port: endpoint.port ?? service.port)
    }

    private mutating func tunnel(_ node: Node) -> TunnelOptions {
        let fields = document.fields(node, of: "tunnel", known: Self.tunnelKeys)
        var options = TunnelOptions()
        if let node = fields["kind"],
            let word = document.choice(node, "tunnel kind", among: Self.tunnelKinds.map(\.name))
        {
            options.kind = Self.tunnelKinds.first { $0.name == word }?.kind ?? .ipip
        }
        if let node = fields["port"], let port = document.number(node, "tunnel port", 1...65535) {
            options.port = UInt16(port)
        }
        if let node = fields["checksum"],
            let word = document.choice(node, "tunnel checksum", among: Self.checksums.map(\.name))
        {
            options.checksum = Self.checksums.first { $0.name == word }?.checksum ?? .none
        }
        if options.kind == .gue, options.port == 0 { document.reject(node, "a gue tunnel needs a port") }
        if options.kind != .gue, options.port != 0 {
            document.reject(node, "only gue tunnels have a port")
        }
        if options.checksum == .remote && options.kind != .gue || options.checksum != .none && options.kind == .ipip {
            document.reject(node, "checksum: ipip takes none, gre none or full, gue any")
        }
        return options
    }

    /// What ipvsadm and the kernel refuse of a destination.
    private mutating func isSound(
        _ destination: Destination, _ service: VirtualService, _ localAddresses: [IPAddress], _ node: Node
    ) -> Bool {
        guard !isSaved else { return true }
        let address = destination.key.address
        let problem: String? =
            if address.isUnspecified || address.isMulticast || address.isLinkLocalV6 || address == IPAddress(v4: .max) {
                "\(address) is no address that a packet can be sent to"
            } else if destination.method != .tunneling, address.family != service.key.family {
                "\(address) is of another family than the service, which only the method tunnel can bridge"
            } else if destination.method == .fullNAT, !localAddresses.contains(where: { $0.family == address.family }) {
                "the method fullnat needs a pool with a local address of the family of \(address)"
            } else {
                nil
            }
        if let problem { document.reject(node, problem) }
        return problem == nil
    }
}
