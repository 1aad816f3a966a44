public import Wire

/// A port on a network interface of the host, which takes what the director owns and leaves the rest to the host.
public protocol InterfacePort: Port, Sendable {
    /// Which kind it is.
    var kind: PortKind { get }
    /// How it works here, for messages: a word or two.
    var details: String { get }
    /// Whether the host never sees what this port takes. Where it does, it must be kept silent (`Netlink.Guard`).
    var keepsFramesFromHost: Bool { get }

    /// Take `traffic` from now on, and nothing else; `hostAddresses` are the host's own. Any thread, one call at a time.
    /// - Parameter filter: made for `traffic` by `SocketFilter(traffic, leaving: PacketSocket.roomForMore)`, for ports that
    ///   work by one.
    func own(_ traffic: OwnedTraffic, filter: SocketFilter, hostAddresses: [IPAddress]) throws(PortError)

    /// Take `traffic` too, beside what `own` was given last: quickly, and not for good. Any thread, one call at a time.
    /// - Returns: false when there is no room for that; nothing has changed then, and `own` is to be called with everything.
    func include(_ traffic: OwnedTraffic) throws(PortError) -> Bool
}

extension PacketSocket: InterfacePort {
    /// `packet`.
    public var kind: PortKind { .packet }
    /// What it works by.
    public var details: String {
        let receiving = ring.count > 0 ? "a receive ring of \(ring.count) frames" : "recvmmsg"
        return "\(receiving) and sendmmsg, virtio-net headers"
    }
    /// False: the kernel keeps a copy of every frame.
    public var keepsFramesFromHost: Bool { false }
    /// By `filter`, see `own(_:filter:)`.
    public func own(_ traffic: OwnedTraffic, filter: SocketFilter, hostAddresses: [IPAddress]) throws(PortError) {
        _ = try own(traffic, filter: filter)
    }
}
