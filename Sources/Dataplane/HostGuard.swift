public import Balancer
public import PacketIO
public import Wire

/// Resolves next hops for workers. Declared here, provided by `Netlink`, fitted together in `fairlead`.
public protocol NeighborResolver: AnyObject, Sendable {
    /// Have `address` resolved on the interface with this slot. Any thread; returns at once.
    func resolve(interface slot: Int, address: IPAddress)
    /// Keep these next hops resolved: the kernel sees none of our traffic, and would let them go stale.
    func keepFresh(_ destinations: Set<IPAddress>)
}

/// Keeps the host's stack from also handling what the engine owns. Declared here, provided by `Netlink`.
public protocol HostGuard: AnyObject, Sendable {
    /// Guard exactly this traffic from now on.
    func guardTraffic(_ traffic: OwnedTraffic) throws
}

extension Engine {
    /// What connections of deleted real servers need beside what the rules say: replies of NAT servers go on being
    /// translated (`ip_vs_core.c`, `ip_vs_out_hook`), and requests to a service that was deleted are dropped rather than
    /// the host's. Control thread.
    public var departedTraffic: Set<DepartedTraffic> {
        Set(
            departedDestinations.compactMap { service, destination in
                guard destination.method == .masquerading,
                    case .address(let transportProtocol, let address, let port) = service
                else { return nil }
                let key = destination.key
                let virtual = OwnedTraffic.Endpoint(
                    transportProtocol: transportProtocol, address: address, port: port)
                let server = OwnedTraffic.Endpoint(
                    transportProtocol: transportProtocol, address: key.address, port: key.port == 0 ? port : key.port)
                return DepartedTraffic(virtual: virtual, server: server)
            })
    }

    /// The traffic that the rules make ours. Control thread.
    ///
    /// - Parameter isHostAddress: whether the host has an address itself; of others every packet is ours, or none where the
    ///   engine owns no addresses.
    /// - Parameter keys: only of these services; nil: of all.
    public func ownedTraffic(
        of keys: Set<ServiceKey>? = nil, isHostAddress: (IPAddress) -> Bool
    ) -> OwnedTraffic {
        var traffic = OwnedTraffic()
        var seen: Set<IPAddress> = []
        forEachRule(of: keys) { service, destinations, _ in
            for destination in destinations { own(destination, of: service.key, &traffic) }
            guard case .address(let transportProtocol, let address, let port) = service.key else { return }
            guard configuration.ownsAddresses || isHostAddress(address) else { return }
            traffic.virtual.append(
                OwnedTraffic.Endpoint(transportProtocol: transportProtocol, address: address, port: port))
            guard seen.insert(address).inserted, !isHostAddress(address) else { return }
            traffic.addresses.append(address)
            if address.isV4 { traffic.arpFor.append(address) } else { traffic.ndFor.append(address) }
        }
        traffic.besideHost = localAddressesOfHost
        // Other local addresses of FULLNAT are ours whole, and on no interface of the host.
        traffic.addresses += localAddresses
        for address in announcedLocalAddresses {
            if address.isV4 { traffic.arpFor.append(address) } else { traffic.ndFor.append(address) }
        }
        ownMarked(&traffic, &seen, isHostAddress)
        if keys == nil { traffic.add(departedTraffic) }
        return traffic
    }

    /// What comes back from a destination of `service`.
    private func own(_ destination: Destination, of service: ServiceKey, _ traffic: inout OwnedTraffic) {
        let key = destination.key
        switch (destination.method, service) {
        case (.fullNAT, _): return
        case (_, .mark):
            for transport in Transport.allCases {
                traffic.servers.append(
                    OwnedTraffic.Endpoint(
                        transportProtocol: transport.rawValue, address: key.address, port: key.port))
            }
        case (.masquerading, .address(let transportProtocol, _, let port)):
            traffic.servers.append(
                OwnedTraffic.Endpoint(
                    transportProtocol: transportProtocol, address: key.address, port: key.port == 0 ? port : key.port))
        case (.tunneling, _): traffic.errorsAbout.append(key.address)
        default: return
        }
    }

    /// What mark rules give a mark that a service has.
    private func ownMarked(
        _ traffic: inout OwnedTraffic, _ seen: inout Set<IPAddress>, _ isHostAddress: (IPAddress) -> Bool
    ) {
        for rule in markRules {
            let isOurs = rule.family.map { hasService(mark: rule.mark, $0) } ?? false
            traffic.marked.append(MarkedTraffic(rule: rule, isOurs: isOurs))
            guard isOurs, let address = rule.wholeDestination, seen.insert(address).inserted, !isHostAddress(address)
            else { continue }
            traffic.addresses.append(address)
            if address.isV4 { traffic.arpFor.append(address) } else { traffic.ndFor.append(address) }
        }
    }
}

/// What the connections of a deleted real server are recognised by.
public struct DepartedTraffic: Hashable, Sendable {
    /// The service, which may be gone as well.
    public var virtual: OwnedTraffic.Endpoint
    /// The real server.
    public var server: OwnedTraffic.Endpoint
}

extension OwnedTraffic {
    /// Own this too, none of it twice.
    mutating func add(_ departed: Set<DepartedTraffic>) {
        guard !departed.isEmpty else { return }
        let virtual = Set(virtual)
        let servers = Set(servers)
        self.virtual += Set(departed.map(\.virtual)).subtracting(virtual)
        self.servers += Set(departed.map(\.server)).subtracting(servers)
    }
}
