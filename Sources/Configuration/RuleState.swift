public import Balancer
public import Wire

/// All that rules say, as a value: what a file asks for, what an engine holds, what is saved.
public struct RuleState: Hashable, Sendable {
    /// A service with what belongs to it.
    public struct Service: Hashable, Sendable {
        /// The service itself.
        public var service: VirtualService
        /// Its destinations, oldest first (listings have the newest first).
        public var destinations: [Destination]
        /// Its pool of local addresses for FULLNAT.
        public var localAddresses: [IPAddress]

        /// From its parts.
        public init(service: VirtualService, destinations: [Destination] = [], localAddresses: [IPAddress] = []) {
            self.service = service
            self.destinations = destinations
            self.localAddresses = localAddresses
        }
    }

    /// The services, oldest first.
    public var services: [Service]
    /// Rules that mark packets, in order.
    public var marks: [NamedMark]
    /// Timeouts in seconds; nil: stay as they are.
    public var timeouts: Timeouts?
    /// Settings by sysctl; those not named stay as they are.
    public var settings: [Setting: Int32]

    /// Nothing unless given.
    public init(
        services: [Service] = [], marks: [NamedMark] = [], timeouts: Timeouts? = nil, settings: [Setting: Int32] = [:]
    ) {
        self.marks = marks
        self.services = services
        self.timeouts = timeouts
        self.settings = settings
    }

    /// Destinations of all services.
    public var destinationCount: Int { services.reduce(0) { $0 + $1.destinations.count } }
}

extension ServiceKey {
    /// As messages name it: `TCP 203.0.113.80:80`, `fwmark 7 (ipv6)`.
    public var title: String {
        switch self {
        case .address(let transportProtocol, let address, let port):
            let name =
                switch transportProtocol {
                case IPProtocol.tcp: "TCP"
                case IPProtocol.udp: "UDP"
                case IPProtocol.sctp: "SCTP"
                default: "protocol \(transportProtocol)"
                }
            return "\(name) \(DestinationKey(address: address, port: port).title)"
        case .mark(let mark, let family): return family == .v4 ? "fwmark \(mark)" : "fwmark \(mark) (ipv6)"
        }
    }
}

extension DestinationKey {
    /// `10.0.2.11:80`, `[2001:db8::1]:80`.
    public var title: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
