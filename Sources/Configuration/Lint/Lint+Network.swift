import Balancer
import Wire

/// What depends on the networks around the director.
extension Lint {
    func unattached(_ service: ConfigurationFile.Service) -> [LintFinding] {
        guard case .address(_, let address, _) = service.rule.service.key, let network,
            !network.interfaces.isEmpty, network.interfaces.allSatisfy({ $0.networks != nil }),
            network.interface(of: address) == nil
        else { return [] }
        let list = network.interfaces.map { interface in
            let networks = (interface.networks ?? []).map { InterfaceAddress.network($0) }
            return "\(interface.name) \(networks.isEmpty ? "none" : networks.joined(separator: ", "))"
        }.joined(separator: "; ")
        return [
            finding(
                .warning, .unattachedAddress, service,
                "\(address) is on no attached network (\(list)), so no neighbour asks for it and only a router that was "
                    + "told sends its packets here",
                fix: "take an address of an attached network, or route \(address) to the director and name it under the "
                    + "interface's networks")
        ]
    }

    /// Bytes that a method puts in front of, or into, a packet.
    private static func overhead(_ destination: Destination, _ service: VirtualService) -> (bytes: Int, name: String)? {
        let outer = destination.key.address.isV4 ? 20 : 40
        switch destination.method {
        case .tunneling:
            switch destination.tunnel.kind {
            case .ipip: return (outer, "an IPIP tunnel")
            // UDP and GUE's header; remote checksum offload takes 8 more.
            case .gue: return (outer + 12 + (destination.tunnel.checksum == .remote ? 8 : 0), "a GUE tunnel")
            case .gre: return (outer + (destination.tunnel.checksum == .none ? 4 : 8), "a GRE tunnel")
            }
        case .fullNAT:
            guard service.clientAddress == .tcpOption else { return nil }
            // Kind, length, port and address.
            return (service.key.family == .v4 ? 8 : 20, "TOA")
        case .masquerading, .localNode, .directRouting: return nil
        }
    }

    func shortMTU(_ service: ConfigurationFile.Service) -> [LintFinding] {
        guard let network else { return [] }
        let arrival: Int?
        if case .address(_, let address, _) = service.rule.service.key,
            let interface = network.interface(of: address)
        {
            arrival = interface.mtu
        } else {
            arrival = network.interfaces.compactMap(\.mtu).max()
        }
        // A client's own link has 1500 bytes as a rule, whatever the director's has.
        guard let arrival = arrival.map({ min($0, 1500) }) else { return [] }
        var known: Set<String> = []
        return zip(service.rule.destinations, service.destinationLines).compactMap { destination, line in
            guard let (bytes, name) = Self.overhead(destination, service.rule.service) else { return nil }
            let way = network.interface(of: destination.key.address)
            guard let mtu = way?.mtu ?? network.interfaces.compactMap(\.mtu).max(), mtu < arrival + bytes,
                known.insert("\(way?.name ?? "") \(bytes)").inserted
            else { return nil }
            let place = way.map { "by \($0.name)" } ?? "towards \(destination.key.address)"
            return finding(
                .warning, .shortMTU, service, line: line,
                "\(name) adds \(bytes) bytes, and packets of up to \(arrival) bytes arrive, but the MTU \(place) is "
                    + "\(mtu)",
                fix: "raise that MTU to \(arrival + bytes), or have the real servers announce a smaller segment "
                    + "(`ip route … advmss \(mtu - bytes - (service.rule.service.key.family == .v4 ? 40 : 60))`)")
        }
    }
}

extension InterfaceAddress {
    /// As `198.51.100.0/24`.
    fileprivate static func network(_ address: InterfaceAddress) -> String {
        "\(address.address.masked(address.prefixLength))/\(address.prefixLength)"
    }
}
