import Synchronization
public import Wire

/// Numbers snapshots. Control side.
private enum RoutingSerial {
    static let last = Atomic<UInt64>(0)
}

/// All the packet path knows of the network, at one moment: interfaces, routes and neighbours. Immutable.
///
/// Made on the control side by `RoutingBuilder` and by the monitor in `Netlink`, published as a whole. What did not
/// change is shared with the snapshot before. The packet path reads it through `view`, which is valid as long as the
/// snapshot lives.
@safe
public final class RoutingSnapshot: @unchecked Sendable {
    /// The interfaces, by slot.
    public let interfaces: [NetworkInterface]
    /// Addresses that a packet to the host itself can carry: local and broadcast ones. A larger prefix that was made
    /// local is not spelled out.
    public let hostAddresses: [IPAddress]
    /// What the packet path reads.
    public let view: RoutingView

    private let routes: RouteTable
    private let neighbors: NeighborTable

    /// From its parts; `interfaces` in the order of their slots, from 0.
    public init(
        interfaces: [NetworkInterface], routes: RouteTable, neighbors: NeighborTable, hostAddresses: [IPAddress] = []
    ) {
        self.interfaces = interfaces
        self.routes = routes
        self.neighbors = neighbors
        self.hostAddresses = hostAddresses
        view = unsafe RoutingView(
            routes: routes.view, neighbors: neighbors.view,
            interfaces: copyToMemory(interfaces.map(InterfaceFacts.init)),
            interfaceCount: interfaces.count,
            serial: RoutingSerial.last.wrappingAdd(1, ordering: .relaxed).newValue)
    }

    deinit { unsafe view.interfaces.deallocate() }

    /// Where packets for `address` go. For the control side: it keeps the snapshot alive meanwhile.
    public func route(to address: IPAddress) -> RouteResult {
        withExtendedLifetime(self) { view.route(to: address) }
    }

    /// Whether `address` is one of the host's own. For the control side.
    public func isLocal(_ address: IPAddress) -> Bool {
        withExtendedLifetime(self) { view.isLocal(address) }
    }

    /// What is known of a neighbour. For the control side.
    public func neighbor(interface: Int, address: IPAddress) -> NeighborResult {
        withExtendedLifetime(self) { view.neighbor(interface: interface, address: address) }
    }

    /// Whether packets take the same ways as by `other`. True only of snapshots made from another by replacing neighbours.
    public func hasRoutes(of other: RoutingSnapshot) -> Bool { routes === other.routes }

    /// The same with other neighbours.
    public func replacing(neighbors: NeighborTable) -> RoutingSnapshot {
        RoutingSnapshot(interfaces: interfaces, routes: routes, neighbors: neighbors, hostAddresses: hostAddresses)
    }
}

/// A snapshot as the packet path reads it. Any thread; valid while its `RoutingSnapshot` lives.
@safe
public struct RoutingView: @unchecked Sendable {
    @usableFromInline let routes: RouteTableView
    @usableFromInline let neighbors: NeighborTableView
    @usableFromInline let interfaces: UnsafeMutablePointer<InterfaceFacts>
    /// How many interfaces there are; slots count from 0.
    public let interfaceCount: Int
    /// A number that no other snapshot of this process has.
    public let serial: UInt64

    init(
        routes: RouteTableView, neighbors: NeighborTableView, interfaces: UnsafeMutablePointer<InterfaceFacts>,
        interfaceCount: Int, serial: UInt64
    ) {
        self.routes = routes
        self.neighbors = neighbors
        unsafe self.interfaces = unsafe interfaces
        self.interfaceCount = interfaceCount
        self.serial = serial
    }

    /// Where packets for `address` go.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func route(to address: IPAddress) -> RouteResult { routes.lookup(address) }

    /// Whether `address` is one of the host's own.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func isLocal(_ address: IPAddress) -> Bool { routes.isLocal(address) }

    /// Where packets for an IPv4 address in host order go; nil: nowhere, to the host itself, not by an interface of ours, or
    /// by a gateway that is an IPv6 address (RFC 5549).
    @inlinable @inline(__always)
    public func plainRoute(to address: UInt32) -> PlainRoute? { routes.plainLookup(address) }

    /// Whether an IPv4 address in host order is one of the host's own.
    @inlinable @inline(__always)
    public func isPlainLocal(_ address: UInt32) -> Bool { routes.isPlainLocal(address) }

    /// What is known of the neighbour `address` on the interface in slot `interface`.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func neighbor(interface: Int, address: IPAddress) -> NeighborResult {
        neighbors.lookup(interface: interface, address: address)
    }

    /// The interface in `slot`; facts with an MTU of 0 for a slot there is not.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func interface(_ slot: Int) -> InterfaceFacts {
        guard slot >= 0, slot < interfaceCount else { return InterfaceFacts() }
        return unsafe interfaces[slot]
    }
}
