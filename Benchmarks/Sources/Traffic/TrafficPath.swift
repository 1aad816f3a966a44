import Balancer

/// What is done with each frame.
public enum TrafficPath: String, CaseIterable, Sendable {
    /// Copied into a buffer as a port would, and no more: the floor.
    case copy
    /// A client's packet of a known connection, NAT.
    case natRequest = "nat-request"
    /// A real server's packet of a known connection, NAT.
    case natReply = "nat-reply"
    /// A client's packet of a known connection, direct routing.
    case directRouting = "dr"
    /// A client's packet of a known connection, FULLNAT.
    case fullNATRequest = "fullnat-request"
    /// A real server's packet of a known connection, FULLNAT.
    case fullNATReply = "fullnat-reply"
    /// A client's packet of a known connection of IPv6, NAT.
    case wideNATRequest = "nat-request-v6"
    /// A real server's packet of a known connection of IPv6, NAT.
    case wideNATReply = "nat-reply-v6"
    /// A client's packet of a known connection of IPv6, direct routing.
    case wideDirectRouting = "dr-v6"
    /// A packet to the virtual address without entry or service: left to the host.
    case miss
    /// The only packet of a connection, which a scheduler opens and the timer wheel ends a second later: 64 of each a batch,
    /// with some 16,000 connections alive. UDP.
    case open

    /// Whether packets come from a real server.
    var isReply: Bool { self == .natReply || self == .fullNATReply || self == .wideNATReply }

    /// Whether packets are IPv6's. Those of TCP do not fit.
    public var isV6: Bool { self == .wideNATRequest || self == .wideNATReply || self == .wideDirectRouting }

    /// How packets reach the real servers.
    var method: ForwardingMethod {
        switch self {
        case .directRouting, .wideDirectRouting: .directRouting
        case .fullNATRequest, .fullNATReply: .fullNAT
        default: .masquerading
        }
    }
}

/// What the frames carry.
public enum TrafficTransport: String, CaseIterable, Sendable {
    case udp, tcp
}
