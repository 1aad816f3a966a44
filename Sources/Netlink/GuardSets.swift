import Balancer
import Wire

/// The sets of the guard's table, one each per family. Every rule is one look into one of them, so that thousands of
/// services cost no more than one.
enum GuardSet: UInt8, CaseIterable, Hashable {
    /// Protocol, destination address and port of services.
    case services
    /// Protocol and destination address of services of every port.
    case serviceAddresses
    /// Protocol and destination address of services: asked for later fragments, which have no port.
    case serviceFragments
    /// Destination addresses, whatever the packet.
    case localAddresses
    /// Protocol, source address and port of masqueraded servers.
    case servers
    /// Protocol and source address of servers of every port.
    case serverAddresses
    /// Protocol and source address of servers: asked for later fragments.
    case serverFragments
    /// The host's addresses.
    case hosts
    /// Protocol and destination address, of which the ports from `LocalPortRing.firstPortBesideHost` on are the director's.
    case besideHost

    /// What an element consists of.
    var shape: GuardShape {
        switch self {
        case .services, .servers: .endpoint
        case .serviceAddresses, .serviceFragments, .serverAddresses, .serverFragments, .besideHost: .protocolAndAddress
        case .localAddresses, .hosts: .address
        }
    }

    /// Its name in the table.
    func name(_ family: AddressFamily) -> String { "\(self)\(family == .v4 ? 4 : 6)" }

    /// Its identifier within a transaction.
    func identifier(_ family: AddressFamily) -> UInt32 { UInt32(rawValue) * 2 + (family == .v4 ? 1 : 2) }
}

/// What a set's element consists of. Each part fills whole 32-bit registers.
enum GuardShape {
    case endpoint
    case protocolAndAddress
    case address

    /// Bytes of a key.
    func length(_ family: AddressFamily) -> UInt32 {
        let address: UInt32 = family == .v4 ? 4 : 16
        return switch self {
        case .endpoint: 4 + address + 4
        case .protocolAndAddress: 4 + address
        case .address: address
        }
    }

    /// How `nft list` prints a key: six bits a part (nftables, `include/datatype.h`: `TYPE_IPADDR` 7, `TYPE_IP6ADDR` 8,
    /// `TYPE_INET_PROTOCOL` 12, `TYPE_INET_SERVICE` 13).
    func displayType(_ family: AddressFamily) -> UInt32 {
        let address: UInt32 = family == .v4 ? 7 : 8
        return switch self {
        case .endpoint: (12 << 6 | address) << 6 | 13
        case .protocolAndAddress: 12 << 6 | address
        case .address: address
        }
    }
}

/// One element of one set.
struct GuardElement: Hashable {
    let set: GuardSet
    let endpoint: GuardedEndpoint

    func hash(into hasher: inout Hasher) {
        hasher.combine(endpoint.address)
        hasher.combine(UInt32(set.rawValue) << 24 | UInt32(endpoint.transportProtocol) << 16 | UInt32(endpoint.port))
    }

    /// The key's bytes, each part padded to four.
    var key: [UInt8] {
        let port = endpoint.port
        let transport = [endpoint.transportProtocol, 0, 0, 0]
        return switch set.shape {
        case .endpoint:
            transport + endpoint.address.bytes + [UInt8(port >> 8), UInt8(truncatingIfNeeded: port), 0, 0]
        case .protocolAndAddress: transport + endpoint.address.bytes
        case .address: endpoint.address.bytes
        }
    }
}

extension GuardedTraffic {
    /// All elements of all sets.
    var elements: Set<GuardElement> {
        var elements: Set<GuardElement> = []
        func add(_ set: GuardSet, _ transport: UInt8, _ address: IPAddress, _ port: UInt16) {
            let endpoint = GuardedEndpoint(transportProtocol: transport, address: address, port: port)
            elements.insert(GuardElement(set: set, endpoint: endpoint))
        }
        func add(_ endpoint: GuardedEndpoint, exact: GuardSet, whole: GuardSet, fragments: GuardSet) {
            let any = [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp]
            for transport in endpoint.transportProtocol == 0 ? any : [endpoint.transportProtocol] {
                if endpoint.port == 0 {
                    add(whole, transport, endpoint.address, 0)
                } else {
                    add(exact, transport, endpoint.address, endpoint.port)
                    add(fragments, transport, endpoint.address, 0)
                }
            }
        }
        for service in services {
            add(service, exact: .services, whole: .serviceAddresses, fragments: .serviceFragments)
        }
        for server in servers {
            add(server, exact: .servers, whole: .serverAddresses, fragments: .serverFragments)
        }
        for address in localAddresses { add(.localAddresses, 0, address, 0) }
        for address in besideHost {
            for transport in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
                add(.besideHost, transport, address, 0)
            }
        }
        for address in hostAddresses { add(.hosts, 0, address, 0) }
        return elements
    }
}
