import Balancer
import Wire

/// Writes addresses and ports, as numbers or by their names; each name is asked for once a listing.
struct EndpointNames {
    private struct Port: Hashable {
        var number: UInt16
        var transportProtocol: UInt8
    }

    private let resolver: (any NameResolver)?
    private var hosts: [IPAddress: String] = [:]
    private var ports: [Port: String] = [:]

    /// Without a resolver: numbers only.
    init(resolver: (any NameResolver)?) {
        self.resolver = resolver
    }

    /// `address:port`, IPv6 in brackets. Without a protocol the port stays a number.
    mutating func text(_ address: IPAddress, _ port: UInt16, _ transportProtocol: UInt8?) -> String {
        let host = name(of: address)
        return address.isV4
            ? "\(host):\(name(of: port, transportProtocol))" : "[\(host)]:\(name(of: port, transportProtocol))"
    }

    /// As above, of a destination or an end of a connection.
    mutating func text(_ key: DestinationKey, _ transportProtocol: UInt8?) -> String {
        text(key.address, key.port, transportProtocol)
    }

    private mutating func name(of address: IPAddress) -> String {
        guard let resolver else { return address.description }
        if let known = hosts[address] { return known }
        let name = resolver.host(at: address) ?? address.description
        hosts[address] = name
        return name
    }

    private mutating func name(of port: UInt16, _ transportProtocol: UInt8?) -> String {
        guard let resolver, let transportProtocol, port != 0 else { return String(port) }
        let key = Port(number: port, transportProtocol: transportProtocol)
        if let known = ports[key] { return known }
        let name = resolver.service(at: port, transportProtocol: transportProtocol) ?? String(port)
        ports[key] = name
        return name
    }
}

extension ServiceKey {
    /// The protocol whose names the ports have; nil for a mark.
    var transportProtocol: UInt8? {
        if case .address(let number, _, _) = self { number } else { nil }
    }
}

extension IPProtocol {
    /// As listings call it.
    static func listedName(_ number: UInt8) -> String {
        switch number {
        case tcp: "TCP"
        case udp: "UDP"
        case sctp: "SCTP"
        case hopByHop: "IP"
        case icmp: "ICMP"
        case icmpv6: "ICMPv6"
        default: String(number)
        }
    }
}
