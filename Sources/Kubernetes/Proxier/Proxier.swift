import Balancer
import Wire

/// What kube-proxy in mode ipvs would make of a cluster's objects on one node (`kubernetes/kubernetes`,
/// `pkg/proxy/ipvs/proxier.go`, `syncProxyRules`). A function of its inputs: nothing is read or changed.
public struct Proxier: Sendable {
    private let configuration: ProxyConfiguration
    private let node: NodeDescription

    /// For a configuration and a node.
    public init(_ configuration: ProxyConfiguration, node: NodeDescription) {
        self.configuration = configuration
        var node = node
        node.name = node.name ?? configuration.nodeName
        if let primary = configuration.bindAddress {
            node.addresses = [primary] + node.addresses.filter { $0 != primary }
        }
        self.node = node
    }

    /// The rules for these objects.
    public func rules(for objects: ClusterObjects) -> DesiredRules {
        let masqueradeAddresses = usable(node.masqueradeAddresses, beside: objects.services)
        var draft = RulesDraft(configuration, masqueradeAddresses: masqueradeAddresses)
        let endpoints = Dictionary(grouping: objects.endpoints, by: \.service)
        let nodePortAddresses = nodePortAddresses(beside: objects.services)
        for service in objects.services.sorted(by: { $0.name < $1.name }) where !service.isForOthers {
            let all = endpoints[service.name] ?? []
            let slices = all.filter(\.isSlice)
            add(service, slices.isEmpty ? all : slices, nodePortAddresses, to: &draft)
        }
        return draft.rules
    }

    private func add(
        _ service: ServiceObject, _ groups: [EndpointGroup], _ nodePortAddresses: [IPAddress],
        to draft: inout RulesDraft
    ) {
        if service.lacksClusterAddress {
            draft.remark("\(service.name) has no clusterIP; print it from the cluster: kubectl get service -o yaml")
        }
        let service = knowingNode(service, &draft)
        for address in service.clusterAddresses {
            for port in service.ports {
                let selection = EndpointSelection(
                    groups, port: port, family: address.family, service: service,
                    isLocalNode: { $0 != nil && $0 == node.name })
                draft.add(
                    service, port, address, masquerade: clusterMasquerade(address.family),
                    to: selection.destinations(staysLocal: service.isInternallyLocal))
                addExternal(service, port, address.family, nodePortAddresses, selection, to: &draft)
            }
        }
    }

    /// External and load-balancer addresses and node ports of the cluster address's family.
    private func addExternal(
        _ service: ServiceObject, _ port: ServiceObject.Port, _ family: AddressFamily, _ nodePortAddresses: [IPAddress],
        _ selection: EndpointSelection, to draft: inout RulesDraft
    ) {
        let staysLocal = service.isExternallyLocal
        let destinations = selection.destinations(staysLocal: staysLocal)
        for address in service.externalAddresses where address.family == family {
            draft.add(service, port, address, masquerade: staysLocal ? .loops : .all, to: destinations)
        }
        for address in service.loadBalancerAddresses where address.family == family {
            if service.restrictsLoadBalancerClients {
                draft.remark(
                    "\(service.name): \(address) is left out, since Fairlead cannot keep clients outside"
                        + " loadBalancerSourceRanges from it")
            } else {
                draft.add(service, port, address, masquerade: staysLocal ? .loops : .all, to: destinations)
            }
        }
        guard port.nodePort != 0 else { return }
        let addresses = nodePortAddresses.filter { $0.family == family }
        if addresses.isEmpty {
            draft.remark(
                "\(service.name): node port \(port.nodePort) is left out, since no \(family == .v4 ? "IPv4" : "IPv6")"
                    + " address of the node is known or allowed by nodePortAddresses; give --node-address")
        }
        for address in addresses {
            draft.add(
                service, port, address, nodePort: true, masquerade: staysLocal ? .loops : .nodePort, to: destinations)
        }
    }

    /// Traffic cannot be kept on a node that is not known: its policies are then Cluster.
    private func knowingNode(_ service: ServiceObject, _ draft: inout RulesDraft) -> ServiceObject {
        guard node.name == nil, service.isExternallyLocal || service.isInternallyLocal else { return service }
        draft.remark("\(service.name) has a traffic policy Local, taken as Cluster; give --node NAME")
        var service = service
        (service.isExternallyLocal, service.isInternallyLocal) = (false, false)
        return service
    }

    /// Clients that are no pods are masqueraded, where it is known what a pod is.
    private func clusterMasquerade(_ family: AddressFamily) -> MasqueradeRule {
        if configuration.masqueradesAll { return .all }
        guard let pods = configuration.clusterPrefixes.first(where: { $0.address.family == family }) else {
            return .loops
        }
        return .outside(pods)
    }

    /// Neither loopback nor link-local addresses (`netlink_linux.go`, `isValidForSet`), and none that a service has, as
    /// kube-proxy's `kube-ipvs0` would hold them.
    private func usable(_ addresses: [IPAddress], beside services: [ServiceObject]) -> [IPAddress] {
        let taken = Set(services.flatMap { $0.clusterAddresses + $0.externalAddresses + $0.loadBalancerAddresses })
        return addresses.filter { address in
            !address.isLoopback && !address.isLinkLocalV6 && !address.isUnspecified && !taken.contains(address)
        }
    }

    /// The node's addresses that serve node ports.
    private func nodePortAddresses(beside services: [ServiceObject]) -> [IPAddress] {
        let usable = usable(node.addresses, beside: services)
        switch configuration.nodePortAddresses {
        case .all: return usable
        case .inside(let prefixes): return usable.filter { address in prefixes.contains { $0.contains(address) } }
        case .primary:
            return [AddressFamily.v4, .v6].compactMap { family in usable.first { $0.family == family } }
        }
    }
}

/// Rules as they are gathered, each key once.
private struct RulesDraft {
    private(set) var rules = DesiredRules()
    private let configuration: ProxyConfiguration
    private var owners: [ServiceKey: String] = [:]

    private let masqueradeAddresses: [IPAddress]

    init(_ configuration: ProxyConfiguration, masqueradeAddresses: [IPAddress]) {
        self.configuration = configuration
        self.masqueradeAddresses = masqueradeAddresses
    }

    mutating func remark(_ sentence: String) {
        if !rules.remarks.contains(sentence) { rules.remarks.append(sentence) }
    }

    mutating func add(
        _ object: ServiceObject, _ port: ServiceObject.Port, _ address: IPAddress, nodePort: Bool = false,
        masquerade: MasqueradeRule, to destinations: [DestinationKey]
    ) {
        let number = nodePort ? port.nodePort : port.port
        let key = ServiceKey.address(
            transportProtocol: port.transportProtocol, address: address, port: number)
        let name = port.name.isEmpty ? "\(object.name)" : "\(object.name):\(port.name)"
        if let owner = owners[key] {
            if owner != name {
                remark("\(name): \(RuleText.service(key)) belongs to \(owner) already and is left to it")
            }
            return
        }
        owners[key] = name
        var service = VirtualService(
            key: key, scheduler: configuration.scheduler,
            // kube-proxy sets for mh the flag that lets the client's port count (`utilipvs.FlagSourceHash`).
            schedulerFlags: configuration.scheduler == .mh ? .port : [],
            persistence: object.affinitySeconds.map { Persistence(timeout: $0, prefixLength: address.family.bits) })
        service.masquerade = masquerade
        let locals = masqueradeAddresses.filter { $0.family == address.family }
        if masquerade != .loops, locals.isEmpty {
            remark(
                "clients are to be masqueraded, but the node has no \(address.isV4 ? "IPv4" : "IPv6") address for it, so"
                    + " that real servers see the clients' own; give --masquerade-address ADDR")
        }
        rules.services.append(
            DesiredService(name: name, service: service, destinations: destinations, localAddresses: locals))
    }
}
