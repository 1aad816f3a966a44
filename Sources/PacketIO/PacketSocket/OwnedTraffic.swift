public import Balancer
public import Wire

/// What a director owns: the packets that its sockets must copy up. Everything else stays with the host alone.
public struct OwnedTraffic: Hashable, Sendable {
    /// One side of a TCP, UDP or SCTP packet.
    public struct Endpoint: Hashable, Sendable {
        /// An `IPProtocol`: TCP, UDP or SCTP; others match nothing.
        public var transportProtocol: UInt8
        /// IPv4 or IPv6.
        public var address: IPAddress
        /// The port; 0 means every port.
        public var port: UInt16

        /// From its parts.
        public init(transportProtocol: UInt8, address: IPAddress, port: UInt16) {
            self.transportProtocol = transportProtocol
            self.address = address
            self.port = port
        }
    }

    /// Virtual services: packets to these, fragments to these addresses, and ICMP to these addresses.
    public var virtual: [Endpoint] = []
    /// Addresses of which every packet is wanted: virtual addresses that no host has, local addresses of FULLNAT.
    public var addresses: [IPAddress] = []
    /// Local addresses of FULLNAT that the host has too: packets to their ports from `LocalPortRing.firstPortBesideHost` on
    /// are wanted, fragments to them, and ICMP to them.
    public var besideHost: [IPAddress] = []
    /// Destinations whose replies come back this way: packets from these, fragments from these addresses, and ICMP errors
    /// that quote a packet to these addresses, whoever gets them.
    public var servers: [Endpoint] = []
    /// Further addresses that an ICMP error may quote a packet to: destinations behind a tunnel.
    public var errorsAbout: [IPAddress] = []
    /// IPv4 addresses for which ARP requests are wanted.
    public var arpFor: [IPAddress] = []
    /// IPv6 addresses for which neighbour solicitations are wanted.
    public var ndFor: [IPAddress] = []
    /// Packets by the rules that mark them, in order; the last one that matches says whether a packet is wanted. The filter
    /// of a socket asks the prefixes only.
    public var marked: [MarkedTraffic] = []

    /// Nothing.
    public init() {}
}

/// Packets that a rule marks.
public struct MarkedTraffic: Hashable, Sendable {
    /// The rule.
    public var rule: MarkRule
    /// Whether a service has the mark, so that the packets are the director's.
    public var isOurs: Bool

    /// From both.
    public init(rule: MarkRule, isOurs: Bool) {
        self.rule = rule
        self.isOurs = isOurs
    }
}
