public import Wire

/// A Service, as far as a proxy looks at it (`kubernetes/api`, `core/v1`).
public struct ServiceObject: Hashable, Sendable {
    /// One port of a Service.
    public struct Port: Hashable, Sendable {
        /// Its name; empty where there is only one.
        public var name: String
        /// `IPProtocol`.
        public var transportProtocol: UInt8
        /// The port on the service's addresses.
        public var port: UInt16
        /// The port on the node's addresses; 0: none.
        public var nodePort: UInt16

        /// From its parts.
        public init(name: String = "", transportProtocol: UInt8 = IPProtocol.tcp, port: UInt16, nodePort: UInt16 = 0) {
            self.name = name
            self.transportProtocol = transportProtocol
            self.port = port
            self.nodePort = nodePort
        }
    }

    /// Namespace and name.
    public var name: ObjectName
    /// At most one of each family; empty for headless and ExternalName services.
    public var clusterAddresses: [IPAddress]
    /// Its ports.
    public var ports: [Port]
    /// `externalIPs`.
    public var externalAddresses: [IPAddress] = []
    /// `status.loadBalancer.ingress` of mode `VIP`; those of mode `Proxy` never see the service's address.
    public var loadBalancerAddresses: [IPAddress] = []
    /// Whether `loadBalancerSourceRanges` lets only some clients in.
    public var restrictsLoadBalancerClients = false
    /// Seconds of `sessionAffinity: ClientIP`; nil: none.
    public var affinitySeconds: UInt32?
    /// `externalTrafficPolicy: Local`.
    public var isExternallyLocal = false
    /// `internalTrafficPolicy: Local`.
    public var isInternallyLocal = false
    /// Whether it should have a cluster address and has none: a manifest that no cluster has seen.
    public var lacksClusterAddress = false
    /// Whether it is left to another proxy (label `service.kubernetes.io/service-proxy-name`) or to none (label
    /// `service.kubernetes.io/headless`).
    public var isForOthers = false

    /// A service with cluster addresses and ports, and defaults for the rest.
    public init(name: ObjectName, clusterAddresses: [IPAddress], ports: [Port]) {
        self.name = name
        self.clusterAddresses = clusterAddresses
        self.ports = ports
    }
}

/// Namespace and name of an object.
public struct ObjectName: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The namespace; `default` where none is given.
    public var namespace: String
    /// The name.
    public var name: String

    /// From both.
    public init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// NAMESPACE/NAME.
    public var description: String { "\(namespace)/\(name)" }

    /// By namespace, then by name.
    public static func < (left: ObjectName, right: ObjectName) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}
