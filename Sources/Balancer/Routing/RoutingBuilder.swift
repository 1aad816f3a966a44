import Wire

/// Makes routing snapshots from plain values. Control side, one thread.
public struct RoutingBuilder: Sendable {
    /// The director's interfaces; slots are their places.
    public var interfaces: [NetworkInterface]
    /// Routes in the kernel's order.
    public var routes: [Route]
    /// Neighbours.
    public var neighbors: [Neighbor]

    /// Exactly what is given: the kernel's dumps name local and connected routes themselves.
    public init(interfaces: [NetworkInterface], routes: [Route], neighbors: [Neighbor]) {
        self.interfaces = interfaces
        self.routes = routes
        self.neighbors = neighbors
    }

    /// From interfaces with addresses and the texts of further routes, as a recording's topology has them: the loopback
    /// and connected routes are derived.
    ///
    /// - Throws: `RouteParseError` for the first text that is no route.
    public init(
        interfaces: [NetworkInterface], routeTexts: [String], neighbors: [Neighbor]
    ) throws(RouteParseError) {
        var routes = Route.loopback + interfaces.flatMap(\.connectedRoutes)
        for text in routeTexts {
            routes.append(try Route(parsing: text, interfaces: interfaces))
        }
        self.init(interfaces: interfaces, routes: routes, neighbors: neighbors)
    }

    /// The snapshot.
    public func build() -> RoutingSnapshot {
        RoutingSnapshot(
            interfaces: interfaces, routes: RouteTable(routes: routes, interfaces: interfaces),
            neighbors: NeighborTable(neighbors), hostAddresses: hostAddresses)
    }

    private var hostAddresses: [IPAddress] {
        var seen: Set<IPAddress> = []
        return routes.compactMap { route in
            guard route.kind == .local || route.kind == .broadcast,
                route.prefixLength == route.destination.family.bits, seen.insert(route.destination).inserted
            else { return nil }
            return route.destination
        }
    }
}
