import Balancer
import Wire

extension ProxyConfiguration {
    /// Read a `KubeProxyConfiguration`, or the ConfigMap of kube-proxy that holds one under `config.conf`.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - name: The file's name, for messages.
    public init(reading text: String, name: String) throws(KubernetesError) {
        let documents = try DocumentReader.documents(in: text, source: DocumentValue.Source(name: name))
        guard let document = documents.first else { throw KubernetesError("\(name): the file is empty") }
        guard documents.count == 1 else {
            throw documents[1].failure("one document is expected, and this is the second")
        }
        try self.init(configuration: Self.configuration(in: document))
    }

    /// The `KubeProxyConfiguration` itself.
    private static func configuration(in document: DocumentValue) throws(KubernetesError) -> DocumentValue {
        _ = try document.fields()
        guard let kind = try document["kind"]?.text() else {
            throw document.failure("kind is missing: KubeProxyConfiguration, or ConfigMap, is expected")
        }
        switch kind {
        case "KubeProxyConfiguration": return document
        case "ConfigMap":
            guard let inner = document["data"]?["config.conf"] else {
                throw (document["data"] ?? document).failure("the ConfigMap has no config.conf; is it kube-proxy's?")
            }
            let documents = try inner.embeddedDocuments()
            guard let only = documents.first, documents.count == 1 else {
                throw inner.failure("one KubeProxyConfiguration is expected, not \(documents.count) documents")
            }
            guard try only["kind"]?.text() == "KubeProxyConfiguration" else {
                throw only.failure("kind KubeProxyConfiguration is expected")
            }
            return only
        default:
            throw (document["kind"] ?? document).failure(
                "KubeProxyConfiguration, or the ConfigMap that holds it, is expected, not \(kind)")
        }
    }

    private init(configuration: DocumentValue) throws(KubernetesError) {
        self.init()
        try Self.shape.check(configuration)
        if let version = configuration["apiVersion"] {
            guard try version.text() == "kubeproxy.config.k8s.io/v1alpha1" else {
                throw version.failure("kubeproxy.config.k8s.io/v1alpha1 is expected, not \(try version.text())")
            }
        }
        try Self.checkMode(configuration)
        try Self.checkLocalDetection(configuration)
        if let ipvs = configuration["ipvs"] { try readIPVS(ipvs) }
        if let iptables = configuration["iptables"] { try readMasquerading(iptables) }
        try readAddresses(configuration)
        if let name = try configuration["hostnameOverride"]?.text().trimmed, !name.isEmpty { nodeName = name }
    }

    private static func checkMode(_ configuration: DocumentValue) throws(KubernetesError) {
        let others = ["iptables", "nftables", "userspace", "kernelspace"]
        let mode = try configuration["mode"]?.text() ?? ""
        guard mode != "ipvs" else { return }
        let place = configuration["mode"] ?? configuration
        let wanted = "Fairlead stands in for kube-proxy's mode ipvs; set mode: ipvs"
        if mode.isEmpty { throw place.failure("without a mode kube-proxy uses iptables; \(wanted)") }
        if others.contains(mode) { throw place.failure("mode \(mode) is not for Fairlead; \(wanted)") }
        let nearest = NearestName.of(mode, among: others + ["ipvs"]).map { "; did you mean \($0)?" } ?? "."
        throw place.failure("there is no mode \(mode)\(nearest) \(wanted)")
    }

    /// Which clients are pods: by `clusterCIDR` only. What would have to look at links or at the API server is refused.
    private static func checkLocalDetection(_ configuration: DocumentValue) throws(KubernetesError) {
        guard let value = configuration["detectLocalMode"] else { return }
        let mode = try value.text()
        switch mode {
        case "", "ClusterCIDR": return
        case "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix":
            throw value.failure("\(mode) is not supported: Fairlead tells pods by clusterCIDR; use ClusterCIDR")
        default:
            let known = ["ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"]
            let nearest = NearestName.of(mode, among: known).map { "; did you mean \($0)?" } ?? "; use ClusterCIDR"
            throw value.failure("there is no mode \(mode)\(nearest)")
        }
    }

    private mutating func readIPVS(_ ipvs: DocumentValue) throws(KubernetesError) {
        if let value = ipvs["scheduler"] {
            let name = try value.text()
            if !name.isEmpty {
                guard let kind = SchedulerKind(name: name) else {
                    let names = SchedulerKind.allCases.map(\.name)
                    let nearest = NearestName.of(name, among: names).map { "; did you mean \($0)?" } ?? ""
                    throw value.failure("there is no scheduler \(name)\(nearest) (\(names.joined(separator: ", ")))")
                }
                scheduler = kind
            }
        }
        excludedPrefixes = try Self.prefixes(ipvs["excludeCIDRs"])
        if let period = try Self.duration(ipvs["syncPeriod"]), period > .zero { syncPeriod = period }
        if let value = ipvs["minSyncPeriod"], let period = try Self.duration(value) {
            guard period <= syncPeriod else {
                throw value.failure("it must not be longer than syncPeriod, which is \(syncPeriod)")
            }
            minimumSyncPeriod = period
        }
        _ = try ipvs["strictARP"]?.boolean()
        timeouts = Timeouts(
            tcp: try Self.seconds(ipvs["tcpTimeout"]), tcpFin: try Self.seconds(ipvs["tcpFinTimeout"]),
            udp: try Self.seconds(ipvs["udpTimeout"]))
    }

    private mutating func readMasquerading(_ iptables: DocumentValue) throws(KubernetesError) {
        masqueradesAll = try iptables["masqueradeAll"]?.boolean() ?? false
        // The bit of the packet mark by which kube-proxy's iptables rules find what to masquerade; we need no mark.
        _ = try iptables["masqueradeBit"]?.integer(in: 0...31)
    }

    private mutating func readAddresses(_ configuration: DocumentValue) throws(KubernetesError) {
        if let value = configuration["clusterCIDR"] {
            let text = try value.text()
            for part in text.split(separator: ",") where !text.isEmpty {
                let prefix = try Self.prefix(String(part).trimmed, value)
                guard !clusterPrefixes.contains(where: { $0.address.family == prefix.address.family }) else {
                    throw value.failure("one prefix of each family at most, e.g. 10.100.0.0/16,fd00:10::/56")
                }
                clusterPrefixes.append(prefix)
            }
        }
        if let value = configuration["nodePortAddresses"] {
            let elements = try value.elements()
            if elements.count == 1, try elements[0].text() == "primary" {
                nodePortAddresses = .primary
            } else if !elements.isEmpty {
                nodePortAddresses = .inside(try Self.prefixes(value))
            }
        }
        if let value = configuration["bindAddress"] {
            let text = try value.text()
            guard text.isEmpty || IPAddress(text) != nil else {
                throw value.failure("an address is expected, not \(text); 0.0.0.0 leaves the choice")
            }
            if let address = IPAddress(text), !address.isUnspecified { bindAddress = address }
        }
    }

    // MARK: Values

    private static func prefixes(_ list: DocumentValue?) throws(KubernetesError) -> [AddressPrefix] {
        guard let list else { return [] }
        var prefixes: [AddressPrefix] = []
        for element in try list.elements() { prefixes.append(try prefix(try element.text(), element)) }
        return prefixes
    }

    private static func prefix(_ text: String, _ value: DocumentValue) throws(KubernetesError) -> AddressPrefix {
        guard let prefix = AddressPrefix(text) else {
            throw value.failure("ADDRESS/LENGTH is expected, e.g. 10.100.0.0/16, not \(text)")
        }
        return prefix
    }

    /// A duration that is not negative; nil for nothing.
    private static func duration(_ value: DocumentValue?) throws(KubernetesError) -> Duration? {
        guard let value else { return nil }
        let text = try value.text()
        guard let duration = GoDuration.parse(text) else {
            throw value.failure("a duration is expected, e.g. 30s or 1m30s, not \(text)")
        }
        guard duration >= .zero else { throw value.failure("\(text): a duration here is not negative") }
        return duration
    }

    /// A timeout in whole seconds, begun ones counted; 0 keeps what is in force. `ipvsadm --set` takes up to 31 days.
    private static func seconds(_ value: DocumentValue?) throws(KubernetesError) -> UInt32 {
        guard let value, let duration = try duration(value) else { return 0 }
        let seconds = duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)
        guard seconds <= 31 * 24 * 3600 else { throw value.failure("a timeout is at most 31 days (744h)") }
        return UInt32(seconds)
    }
}

extension String {
    /// Without blanks at either end.
    fileprivate var trimmed: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
