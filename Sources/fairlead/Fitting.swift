import Balancer
import Dataplane
import Netlink
import PacketIO
import Wire

/// `Netlink`'s monitor as the workers' resolver.
final class MonitorResolver: NeighborResolver {
    private let monitor: RoutingMonitor

    init(_ monitor: RoutingMonitor) { self.monitor = monitor }

    /// A request that the kernel refuses is asked for again while packets wait; they end with a counted reason.
    func resolve(interface slot: Int, address: IPAddress) { try? monitor.resolve(interface: slot, address: address) }

    func keepFresh(_ destinations: Set<IPAddress>) { monitor.keepFresh(destinations) }

    func keepFresh(adding destinations: Set<IPAddress>) { monitor.keepFresh(adding: destinations) }
}

extension GuardedTraffic {
    /// What the guard keeps from the host: services, replies of NAT servers, and all that is to an address that only we own:
    /// a host that forwards would answer it with ICMP unreachable beside our own answer, or forward it.
    init(_ traffic: OwnedTraffic, hostAddresses: [IPAddress]) {
        func guarded(_ endpoint: OwnedTraffic.Endpoint) -> GuardedEndpoint {
            GuardedEndpoint(
                transportProtocol: endpoint.transportProtocol, address: endpoint.address, port: endpoint.port)
        }
        self.init(
            services: Set(traffic.virtual.map(guarded)), servers: Set(traffic.servers.map(guarded)),
            localAddresses: Set(traffic.addresses), besideHost: Set(traffic.besideHost),
            hostAddresses: Set(hostAddresses),
            marked: traffic.marked.map { GuardedMark(rule: $0.rule, isOurs: $0.isOurs) })
    }
}

extension Engine {
    /// Addresses of destinations whose replies are not owned as a server's: reached without NAT, or by FULLNAT.
    var directAddresses: [IPAddress] {
        var addresses: [IPAddress] = []
        forEachRule { _, destinations, _ in
            for destination in destinations
            where destination.method == .directRouting || destination.method == .fullNAT {
                addresses.append(destination.key.address)
            }
        }
        return addresses
    }

    /// The same, of some services.
    func directAddresses(of keys: Set<ServiceKey>) -> [IPAddress] {
        keys.compactMap { service($0) }.flatMap(\.destinations).filter {
            $0.destination.method == .directRouting || $0.destination.method == .fullNAT
        }.map(\.destination.key.address)
    }
}
