import Balancer
import Wire

/// Which endpoints of a service port get connections (`kubernetes/kubernetes`, `pkg/proxy/topology.go`,
/// `CategorizeEndpoints`, and `pkg/proxy/ipvs/proxier.go`, `syncEndpoint`). Hints for zones are not looked at.
struct EndpointSelection {
    /// Those that any node may use.
    private var cluster: [DestinationKey] = []
    /// Those on this node.
    private var local: [DestinationKey] = []

    /// - Parameters:
    ///   - groups: The endpoints of the service.
    ///   - isLocalNode: Whether a node's name is this node's.
    init(
        _ groups: [EndpointGroup], port: ServiceObject.Port, family: AddressFamily, service: ServiceObject,
        isLocalNode: (String?) -> Bool
    ) {
        let candidates = Self.candidates(groups, port, family, isLocalNode)
        // Without internal traffic from elsewhere a service never uses the endpoints of other nodes.
        let isExternal =
            port.nodePort != 0 || !service.externalAddresses.isEmpty || !service.loadBalancerAddresses.isEmpty
        if !service.isInternallyLocal || isExternal { cluster = Self.usable(candidates) }
        local = Self.usable(candidates.filter(\.isLocal))
    }

    /// The destinations for traffic that is to stay on this node, or for all other. Where the node has no endpoint that
    /// can be used, traffic may leave it.
    func destinations(staysLocal: Bool) -> [DestinationKey] { staysLocal && !local.isEmpty ? local : cluster }

    private struct Candidate {
        var key: DestinationKey
        var endpoint: EndpointGroup.Endpoint
        var isLocal: Bool
    }

    /// Every endpoint with its port once; of several the first, or the first that is local.
    private static func candidates(
        _ groups: [EndpointGroup], _ port: ServiceObject.Port, _ family: AddressFamily, _ isLocalNode: (String?) -> Bool
    ) -> [Candidate] {
        var found: [DestinationKey: Candidate] = [:]
        for group in groups {
            for number in group.ports
            where number.name == port.name && number.transportProtocol == port.transportProtocol {
                for endpoint in group.endpoints where endpoint.address.family == family {
                    let key = DestinationKey(address: endpoint.address, port: number.port)
                    let isLocal = isLocalNode(endpoint.node)
                    if let before = found[key], before.isLocal || !isLocal { continue }
                    found[key] = Candidate(key: key, endpoint: endpoint, isLocal: isLocal)
                }
            }
        }
        return Array(found.values)
    }

    /// The ready ones; where none is, those that still serve while they are being stopped.
    private static func usable(_ candidates: [Candidate]) -> [DestinationKey] {
        var chosen = candidates.filter(\.endpoint.isReady)
        if chosen.isEmpty { chosen = candidates.filter { $0.endpoint.isServing && $0.endpoint.isTerminating } }
        return chosen.map(\.key).sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    }
}
