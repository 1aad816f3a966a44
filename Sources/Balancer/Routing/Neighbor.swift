public import Wire

/// What is known of a neighbour's Ethernet address. Ordered as the kernel's `NUD_*` states matter to a sender.
public enum NeighborState: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// Nothing is known: it must be resolved.
    case missing = 0
    /// It is being asked for.
    case incomplete = 1
    /// It did not answer.
    case failed = 2
    /// It answered once; usable, to be confirmed when used.
    case stale = 3
    /// It answered lately.
    case reachable = 4
    /// Set by hand, or the link needs none.
    case permanent = 5

    /// Whether a frame may be sent to its address.
    @inlinable @inline(__always)
    public var isUsable: Bool { rawValue >= NeighborState.stale.rawValue }
}

/// A neighbour as the kernel or a recording states it.
public struct Neighbor: Hashable, Sendable {
    /// Slot of the interface it is on.
    public var interface: Int
    /// Its address.
    public var address: IPAddress
    /// Its Ethernet address; zero when it is not known.
    public var mac: MACAddress
    /// What is known.
    public var state: NeighborState

    /// From its parts.
    public init(interface: Int, address: IPAddress, mac: MACAddress, state: NeighborState = .permanent) {
        self.interface = interface
        self.address = address
        self.mac = mac
        self.state = state
    }
}

/// What looking a neighbour up gives.
public struct NeighborResult: Hashable, Sendable, BitwiseCopyable {
    /// Its Ethernet address; zero unless `state.isUsable`.
    public let mac: MACAddress
    /// What is known of it.
    public let state: NeighborState

    /// From its parts.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public init(mac: MACAddress, state: NeighborState) {
        self.mac = mac
        self.state = state
    }

    /// Whether frames can be sent to `mac`.
    @inlinable @inline(__always)
    public var isUsable: Bool { state.rawValue >= NeighborState.stale.rawValue }

    /// What an unknown neighbour gives.
    @inlinable @inline(__always)
    public static var missing: NeighborResult { NeighborResult(mac: MACAddress(bits: 0), state: .missing) }
}
