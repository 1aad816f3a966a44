import Wire

/// Reads EndpointSlices (`discovery.k8s.io`) and Endpoints (`core/v1`).
enum EndpointReader {
    /// A slice; nil when it belongs to no service, or holds names instead of addresses.
    static func slice(_ object: DocumentValue) throws(KubernetesError) -> EndpointGroup? {
        guard let metadata = object["metadata"],
            let service = try metadata["labels"]?["kubernetes.io/service-name"]?.text(), !service.isEmpty,
            try object["addressType"]?.text() != "FQDN"
        else { return nil }
        var group = EndpointGroup(
            service: ObjectName(try metadata["namespace"]?.text() ?? "default", service), endpoints: [], ports: [])
        for endpoint in try object.list("endpoints") {
            // Of several addresses kube-proxy takes the first; they stand for one another.
            guard let address = try endpoint.list("addresses").first else { continue }
            let conditions = endpoint["conditions"]
            let isReady = try conditions?["ready"]?.boolean() ?? true
            group.endpoints.append(
                EndpointGroup.Endpoint(
                    try address.address(), isReady: isReady, isServing: try conditions?["serving"]?.boolean(),
                    isTerminating: try conditions?["terminating"]?.boolean() ?? false, node: try node(endpoint)))
        }
        group.ports = try ports(object)
        return group
    }

    /// The subsets of an Endpoints object; addresses that are not ready neither serve.
    static func subsets(_ object: DocumentValue, service: ObjectName) throws(KubernetesError) -> [EndpointGroup] {
        var groups: [EndpointGroup] = []
        for subset in try object.list("subsets") {
            var group = EndpointGroup(service: service, isSlice: false, endpoints: [], ports: try ports(subset))
            for (list, isReady) in [("addresses", true), ("notReadyAddresses", false)] {
                for endpoint in try subset.list(list) {
                    guard let address = endpoint["ip"] else { throw endpoint.failure("ip is missing") }
                    group.endpoints.append(
                        EndpointGroup.Endpoint(try address.address(), isReady: isReady, node: try node(endpoint)))
                }
            }
            groups.append(group)
        }
        return groups
    }

    /// The endpoint's node; in `discovery.k8s.io/v1beta1` it is a label.
    private static func node(_ endpoint: DocumentValue) throws(KubernetesError) -> String? {
        try (endpoint["nodeName"] ?? endpoint["topology"]?["kubernetes.io/hostname"])?.text()
    }

    /// Ports with a number; one without stands for every port, which a service cannot use.
    private static func ports(_ object: DocumentValue) throws(KubernetesError) -> [EndpointGroup.Port] {
        var ports: [EndpointGroup.Port] = []
        for port in try object.list("ports") {
            guard let number = port["port"] else { continue }
            ports.append(
                EndpointGroup.Port(
                    name: try port["name"]?.text() ?? "", transportProtocol: try port.transportProtocol("protocol"),
                    port: UInt16(try number.integer(in: 1...65535))))
        }
        return ports
    }
}
