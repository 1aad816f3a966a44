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
    /// A packet to the virtual address without entry or service: left to the host.
    case miss
    /// The only packet of a connection, which a scheduler opens and the timer wheel ends a second later: 64 of each a batch,
    /// with some 16,000 connections alive. UDP.
    case open
}

/// What the frames carry.
public enum TrafficTransport: String, CaseIterable, Sendable {
    case udp, tcp
}
