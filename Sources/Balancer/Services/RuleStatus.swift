/// Counters of a service or destination, as `--stats` lists them.
public struct TrafficCounters: Hashable, Sendable {
    /// Connections scheduled.
    public var connections: UInt64
    /// Packets from clients.
    public var inPackets: UInt64
    /// Packets from servers.
    public var outPackets: UInt64
    /// Bytes (IP total length) from clients.
    public var inBytes: UInt64
    /// Bytes (IP total length) from servers.
    public var outBytes: UInt64

    /// All zero unless given.
    public init(
        connections: UInt64 = 0, inPackets: UInt64 = 0, outPackets: UInt64 = 0, inBytes: UInt64 = 0,
        outBytes: UInt64 = 0
    ) {
        self.connections = connections
        self.inPackets = inPackets
        self.outPackets = outPackets
        self.inBytes = inBytes
        self.outBytes = outBytes
    }
}

/// A destination as it stands: what the rules say and what goes on.
public struct DestinationStatus: Sendable {
    /// What the rules say.
    public var destination: Destination
    /// Whether its address is one of the director's own: listed as it is, delivered to the local stack.
    public var isLocal: Bool
    /// Entries in an active state.
    public var activeConnections: UInt32
    /// Entries in the other states.
    public var inactiveConnections: UInt32
    /// Persistence templates.
    public var persistentConnections: UInt32
    /// Counters, as folded in at the last two-second tick.
    public var counters: TrafficCounters
    /// Rates a second, in `TrafficCounters`' fields: connections, packets, bytes.
    public var rates: TrafficCounters

    /// From its parts.
    public init(
        destination: Destination, isLocal: Bool = false, activeConnections: UInt32 = 0, inactiveConnections: UInt32 = 0,
        persistentConnections: UInt32 = 0, counters: TrafficCounters = TrafficCounters(),
        rates: TrafficCounters = TrafficCounters()
    ) {
        self.destination = destination
        self.isLocal = isLocal
        self.activeConnections = activeConnections
        self.inactiveConnections = inactiveConnections
        self.persistentConnections = persistentConnections
        self.counters = counters
        self.rates = rates
    }
}

/// A service as it stands; destinations in the kernel's order, newest first.
public struct ServiceStatus: Sendable {
    /// What the rules say.
    public var service: VirtualService
    /// Counters, as folded in at the last two-second tick.
    public var counters: TrafficCounters
    /// Rates a second.
    public var rates: TrafficCounters
    /// Destinations, newest first.
    public var destinations: [DestinationStatus]
    /// Local addresses of FULLNAT, in the order they were added.
    public var localAddresses: [LocalAddressStatus]

    /// From its parts.
    public init(
        service: VirtualService, counters: TrafficCounters = TrafficCounters(),
        rates: TrafficCounters = TrafficCounters(), destinations: [DestinationStatus] = [],
        localAddresses: [LocalAddressStatus] = []
    ) {
        self.service = service
        self.counters = counters
        self.rates = rates
        self.destinations = destinations
        self.localAddresses = localAddresses
    }
}

/// A connection entry or persistence template as `-Lnc` lists it.
public struct ConnectionStatus: Sendable {
    /// `IPProtocol`; `hopByHop` (0) is listed as `IP` (templates of fwmark services).
    public var transportProtocol: UInt8
    /// Seconds until it ends, rounded down.
    public var remainingSeconds: Int
    /// The state's name, e.g. `ESTABLISHED`.
    public var state: String
    /// Client address and port.
    public var client: DestinationKey
    /// Virtual address and port.
    public var virtual: DestinationKey
    /// Destination address and port.
    public var destination: DestinationKey
    /// Whether it is a persistence template.
    public var isTemplate: Bool
    /// Seconds since it was made.
    public var ageSeconds: Int
    /// Bytes (IP total length) both ways.
    public var bytes: UInt64

    /// From its parts.
    public init(
        transportProtocol: UInt8, remainingSeconds: Int, state: String, client: DestinationKey, virtual: DestinationKey,
        destination: DestinationKey, isTemplate: Bool = false, ageSeconds: Int = 0, bytes: UInt64 = 0
    ) {
        self.transportProtocol = transportProtocol
        self.remainingSeconds = remainingSeconds
        self.state = state
        self.client = client
        self.virtual = virtual
        self.destination = destination
        self.isTemplate = isTemplate
        self.ageSeconds = ageSeconds
        self.bytes = bytes
    }
}
