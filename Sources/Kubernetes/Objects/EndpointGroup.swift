public import Wire

/// Endpoints of one service that share ports: an EndpointSlice, or a subset of an Endpoints object.
public struct EndpointGroup: Hashable, Sendable {
    /// One endpoint.
    public struct Endpoint: Hashable, Sendable {
        /// Its address.
        public var address: IPAddress
        /// Whether it takes new connections.
        public var isReady: Bool
        /// Whether it answers, ready or terminating.
        public var isServing: Bool
        /// Whether it is being stopped.
        public var isTerminating: Bool
        /// The node it runs on; nil when nothing says so.
        public var node: String?

        /// A ready endpoint unless said otherwise; it serves as long as it is ready.
        public init(
            _ address: IPAddress, isReady: Bool = true, isServing: Bool? = nil, isTerminating: Bool = false,
            node: String? = nil
        ) {
            self.address = address
            self.isReady = isReady
            self.isServing = isServing ?? isReady
            self.isTerminating = isTerminating
            self.node = node
        }
    }

    /// A port of all its endpoints.
    public struct Port: Hashable, Sendable {
        /// The name of the service's port it stands behind.
        public var name: String
        /// `IPProtocol`.
        public var transportProtocol: UInt8
        /// The number: what a named target port has become.
        public var port: UInt16

        /// From its parts.
        public init(name: String = "", transportProtocol: UInt8 = IPProtocol.tcp, port: UInt16) {
            self.name = name
            self.transportProtocol = transportProtocol
            self.port = port
        }
    }

    /// The service whose endpoints they are.
    public var service: ObjectName
    /// Whether it is an EndpointSlice; where a service has some, its Endpoints object says nothing new.
    public var isSlice: Bool
    /// The endpoints.
    public var endpoints: [Endpoint]
    /// Their ports.
    public var ports: [Port]

    /// From its parts.
    public init(service: ObjectName, isSlice: Bool = true, endpoints: [Endpoint], ports: [Port]) {
        self.service = service
        self.isSlice = isSlice
        self.endpoints = endpoints
        self.ports = ports
    }
}

/// The objects of a cluster that a proxy looks at.
public struct ClusterObjects: Hashable, Sendable {
    /// Services.
    public var services: [ServiceObject]
    /// Endpoints of services.
    public var endpoints: [EndpointGroup]

    /// Nothing unless given.
    public init(services: [ServiceObject] = [], endpoints: [EndpointGroup] = []) {
        self.services = services
        self.endpoints = endpoints
    }
}
