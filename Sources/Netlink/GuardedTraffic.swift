public import Balancer
public import Wire

/// A protocol, an address and a port that the director owns.
public struct GuardedEndpoint: Hashable, Sendable {
    /// `IPProtocol`; 0 stands for TCP, UDP and SCTP.
    public var transportProtocol: UInt8
    /// The address.
    public var address: IPAddress
    /// The port; 0: every one.
    public var port: UInt16

    /// From its parts.
    public init(transportProtocol: UInt8, address: IPAddress, port: UInt16) {
        self.transportProtocol = transportProtocol
        self.address = address
        self.port = port
    }
}

/// What the host's own stack must not see, because the director handles it.
public struct GuardedTraffic: Hashable, Sendable {
    /// Virtual services: packets to them.
    public var services: Set<GuardedEndpoint>
    /// Real servers reached by masquerading: packets from them, unless they are addressed to the host itself.
    public var servers: Set<GuardedEndpoint>
    /// Addresses that the director alone answers for, whatever the packet: local addresses of full-NAT pools, and
    /// virtual addresses that no interface of the host has.
    public var localAddresses: Set<IPAddress>
    /// Local addresses of full-NAT that the host has too: TCP, UDP and SCTP packets to their ports from
    /// `LocalPortRing.firstPortBesideHost` on. Fragments without ports are left to the host, which lacks their first one.
    public var besideHost: Set<IPAddress>
    /// The host's own addresses (`RoutingSnapshot.hostAddresses`): asked only where the kernel lacks the nf_tables
    /// expression `fib` for netdev chains and cannot tell by itself which packets are addressed to the host.
    public var hostAddresses: Set<IPAddress>
    /// Packets by the rules that mark them, in order; the last one that matches says whether a packet is ours.
    public var marked: [GuardedMark]

    /// Nothing unless given.
    public init(
        services: Set<GuardedEndpoint> = [], servers: Set<GuardedEndpoint> = [], localAddresses: Set<IPAddress> = [],
        besideHost: Set<IPAddress> = [], hostAddresses: Set<IPAddress> = [], marked: [GuardedMark] = []
    ) {
        self.marked = marked
        self.services = services
        self.servers = servers
        self.localAddresses = localAddresses
        self.besideHost = besideHost
        self.hostAddresses = hostAddresses
    }
}

/// Packets that a rule marks.
public struct GuardedMark: Hashable, Sendable {
    /// The rule; of one family, its interface by slot.
    public var rule: MarkRule
    /// Whether the packets are the director's.
    public var isOurs: Bool

    /// From both.
    public init(rule: MarkRule, isOurs: Bool) {
        self.rule = rule
        self.isOurs = isOurs
    }
}
