import Wire

/// Reads a Service.
enum ServiceReader {
    /// Seconds of ClientIP affinity where none are given (`core/v1`, `DefaultClientIPServiceAffinitySeconds`).
    private static let defaultAffinity = 10800

    static func read(_ object: DocumentValue, name: ObjectName) throws(KubernetesError) -> ServiceObject {
        guard let spec = object["spec"] else { throw object.failure("Service \(name) without spec") }
        var service = ServiceObject(name: name, clusterAddresses: [], ports: [])
        let isExternalName = try spec["type"]?.text() == "ExternalName"
        let cluster = try clusterAddresses(spec)
        service.clusterAddresses = isExternalName ? [] : cluster ?? []
        service.lacksClusterAddress = !isExternalName && cluster == nil
        for port in try spec.list("ports") { service.ports.append(try self.port(port)) }
        for address in try spec.list("externalIPs") { service.externalAddresses.append(try address.address()) }
        for ingress in try object["status"]?["loadBalancer"]?.list("ingress") ?? [] {
            guard let address = ingress["ip"], try ingress["ipMode"]?.text() != "Proxy" else { continue }
            service.loadBalancerAddresses.append(try address.address())
        }
        service.restrictsLoadBalancerClients = try !spec.list("loadBalancerSourceRanges").isEmpty
        service.affinitySeconds = try affinity(spec)
        service.isExternallyLocal = try isLocal(spec["externalTrafficPolicy"])
        service.isInternallyLocal = try isLocal(spec["internalTrafficPolicy"])
        if let labels = object["metadata"]?["labels"] {
            service.isForOthers =
                labels["service.kubernetes.io/service-proxy-name"] != nil
                || labels["service.kubernetes.io/headless"] != nil
        }
        return service
    }

    /// Nil when the cluster has given none yet; empty for a headless service.
    private static func clusterAddresses(_ spec: DocumentValue) throws(KubernetesError) -> [IPAddress]? {
        var values = try spec.list("clusterIPs")
        if values.isEmpty, let only = spec["clusterIP"] { values = [only] }
        var addresses: [IPAddress] = []
        for value in values {
            switch try value.text() {
            case "None": return []
            case "": continue
            default: addresses.append(try value.address())
            }
        }
        return addresses.isEmpty ? nil : addresses
    }

    private static func port(_ port: DocumentValue) throws(KubernetesError) -> ServiceObject.Port {
        guard let number = port["port"] else { throw port.failure("port is missing") }
        return ServiceObject.Port(
            name: try port["name"]?.text() ?? "", transportProtocol: try port.transportProtocol("protocol"),
            port: UInt16(try number.integer(in: 1...65535)),
            nodePort: UInt16(try port["nodePort"]?.integer(in: 0...65535) ?? 0))
    }

    private static func affinity(_ spec: DocumentValue) throws(KubernetesError) -> UInt32? {
        guard let value = spec["sessionAffinity"] else { return nil }
        switch try value.text() {
        case "None", "": return nil
        case "ClientIP":
            let seconds = spec["sessionAffinityConfig"]?["clientIP"]?["timeoutSeconds"]
            return UInt32(try seconds?.integer(in: 1...86400) ?? defaultAffinity)
        default: throw value.failure("None or ClientIP is expected, not \(try value.text())")
        }
    }

    private static func isLocal(_ policy: DocumentValue?) throws(KubernetesError) -> Bool {
        guard let policy else { return false }
        switch try policy.text() {
        case "Local": return true
        case "Cluster", "": return false
        default: throw policy.failure("Cluster or Local is expected, not \(try policy.text())")
        }
    }
}
