public import Wire

/// What a route does with a packet. The numbers are the kernel's `RTN_*` (`linux/rtnetlink.h`).
public enum RouteKind: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// There is no route.
    case missing = 0
    /// To a next hop.
    case unicast = 1
    /// To the host itself.
    case local = 2
    /// To everybody on a link, the host included.
    case broadcast = 3
    /// Dropped silently.
    case blackhole = 6
    /// Answered with host unreachable.
    case unreachable = 7
    /// Answered with administratively prohibited.
    case prohibit = 8
}

/// A route as the kernel or a recording states it.
public struct Route: Hashable, Sendable {
    /// The prefix; bits after `prefixLength` are ignored.
    public var destination: IPAddress
    /// Bits of `destination` that count: 0...32 or 0...128.
    public var prefixLength: Int
    /// What it does.
    public var kind: RouteKind
    /// The router; nil when the destination is on the link.
    public var gateway: IPAddress?
    /// Slot of the interface it leaves by; -1 for one the director is not attached to.
    public var interface: Int
    /// The source address it prefers for packets of the host's own.
    public var source: IPAddress?
    /// Its own MTU in bytes; 0: the interface's.
    public var mtu: Int
    /// The lowest wins among routes of one prefix, among equals the first.
    public var metric: UInt32
    /// Whether it is in the local table, which is asked before the main one whatever the prefixes' lengths.
    public var isInLocalTable: Bool

    /// From its parts. Local and broadcast routes are in the local table unless said otherwise, as `ip route` puts them.
    public init(
        destination: IPAddress, prefixLength: Int, kind: RouteKind = .unicast, gateway: IPAddress? = nil,
        interface: Int = -1, source: IPAddress? = nil, mtu: Int = 0, metric: UInt32 = 0, isInLocalTable: Bool? = nil
    ) {
        self.destination = destination
        self.prefixLength = prefixLength
        self.kind = kind
        self.gateway = gateway
        self.interface = interface
        self.source = source
        self.mtu = mtu
        self.metric = metric
        self.isInLocalTable = isInLocalTable ?? (kind == .local || kind == .broadcast)
    }

    /// What every host has: 127.0.0.0/8 and ::1 are local.
    public static let loopback = [
        Route(destination: IPAddress(v4: 0x7f00_0000), prefixLength: 8, kind: .local),
        Route(destination: IPAddress(high: 0, low: 1), prefixLength: 128, kind: .local),
    ]
}

/// What looking an address up gives.
public struct RouteResult: Hashable, Sendable, BitwiseCopyable {
    /// Whose Ethernet address the frame must carry: the gateway, or the destination itself.
    public let nextHop: IPAddress
    /// The source address of packets of the director's own on this way; unspecified when there is none.
    public let source: IPAddress
    /// Largest IP packet in bytes; 0 when unknown (no interface of ours, local).
    public let mtu: Int
    /// Slot of the interface to leave by; -1 when there is none or the director is not attached to it.
    public let interface: Int
    /// What to do with the packet.
    public let kind: RouteKind
    /// Whether `nextHop` is a router rather than the destination.
    public let hasGateway: Bool

    /// From its parts.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public init(
        kind: RouteKind, nextHop: IPAddress, hasGateway: Bool, interface: Int, source: IPAddress, mtu: Int
    ) {
        self.kind = kind
        self.nextHop = nextHop
        self.hasGateway = hasGateway
        self.interface = interface
        self.source = source
        self.mtu = mtu
    }

    /// Whether a frame can be sent this way: a unicast route by an interface of ours.
    @inlinable @inline(__always)
    public var isUsable: Bool { isUnicast && interface >= 0 }

    /// Whether the address that was looked up is one of the host's own.
    @inlinable @inline(__always)
    public var isLocal: Bool { if case .local = kind { true } else { false } }

    /// Whether the kind is unicast; by pattern, since `==` of an enum with raw values is generic.
    @inlinable @inline(__always)
    var isUnicast: Bool { if case .unicast = kind { true } else { false } }
}

/// The way of a plain packet: the part of a `RouteResult` that it needs.
public struct PlainRoute: BitwiseCopyable {
    /// Whose Ethernet address the frame must carry, in host order.
    public let nextHop: UInt32
    /// Slot of the interface to leave by.
    public let interface: Int
    /// Largest IP packet in bytes; 0: the interface's.
    public let mtu: Int

    @inlinable @inline(__always)
    init(nextHop: UInt32, interface: Int, mtu: Int) {
        self.nextHop = nextHop
        self.interface = interface
        self.mtu = mtu
    }
}
