public import Balancer
public import Wire

/// A virtual service that a cluster's objects ask for; its destinations are NAT, each of weight 1.
public struct DesiredService: Hashable, Sendable {
    /// What it stands for, e.g. `default/kubernetes:https`.
    public var name: String
    /// The service with its masquerade rule.
    public var service: VirtualService
    /// Where new connections go, sorted.
    public var destinations: [DestinationKey]
    /// The addresses that masqueraded connections leave under.
    public var localAddresses: [IPAddress]

    /// From its parts.
    public init(
        name: String, service: VirtualService, destinations: [DestinationKey], localAddresses: [IPAddress] = []
    ) {
        self.name = name
        self.service = service
        self.destinations = destinations
        self.localAddresses = localAddresses
    }
}

/// What the rules should be, and what had to be left out, in sentences.
public struct DesiredRules: Hashable, Sendable {
    /// Services, sorted by the name of what they stand for; no two have the same key.
    public var services: [DesiredService]
    /// What could not be had, and why.
    public var remarks: [String]

    /// Nothing unless given.
    public init(services: [DesiredService] = [], remarks: [String] = []) {
        self.services = services
        self.remarks = remarks
    }
}

/// The node that the proxy works for.
public struct NodeDescription: Hashable, Sendable {
    /// Its name; nil: which endpoints are local is not known.
    public var name: String?
    /// Its own addresses, the first of each family the primary one.
    public var addresses: [IPAddress]
    /// Addresses that masqueraded connections leave under: the node's own, or in its network and Fairlead's alone.
    public var masqueradeAddresses: [IPAddress]

    /// From its parts.
    public init(name: String? = nil, addresses: [IPAddress] = [], masqueradeAddresses: [IPAddress] = []) {
        self.name = name
        self.addresses = addresses
        self.masqueradeAddresses = masqueradeAddresses
    }
}
