import Wire

extension RouteTable {
    /// Build the table.
    ///
    /// - Parameters:
    ///   - routes: In the kernel's order; those of the local table may come anywhere.
    ///   - interfaces: Give sources and MTUs, by slot.
    public convenience init(routes: [Route], interfaces: [NetworkInterface]) {
        var plan = RoutePlan(interfaces: interfaces)
        plan.add(Self.effective(routes))
        self.init(plan)
    }

    /// The routes that can win, best first: the kernel asks the local table first, so a main route inside a local prefix
    /// never counts; then the lowest metric wins.
    private static func effective(_ routes: [Route]) -> [Route] {
        let local = routes.filter(\.isInLocalTable)
        let main = routes.filter { !$0.isInLocalTable }
        var prefixes: Set<Masked> = []
        var lengths: [AddressFamily: Set<Int>] = [:]
        for route in local {
            prefixes.insert(Masked(route.destination, route.prefixLength))
            lengths[route.destination.family, default: []].insert(route.prefixLength)
        }
        let visible = main.filter { route in
            let shorter = (lengths[route.destination.family] ?? []).filter { $0 <= route.prefixLength }
            return !shorter.contains { prefixes.contains(Masked(route.destination, $0)) }
        }
        let ordered = (local + visible).enumerated().sorted {
            ($0.element.metric, $0.offset) < ($1.element.metric, $1.offset)
        }
        return ordered.map(\.element)
    }
}

/// A prefix as a set's element.
private struct Masked: Hashable {
    let address: IPAddress
    let length: Int

    init(_ address: IPAddress, _ length: Int) {
        self.address = address.masked(length)
        self.length = length
    }
}

/// What goes into a route table's memory: prefixes by family and the records they lead to, equal ones shared.
struct RoutePlan {
    private let interfaces: [Int: NetworkInterface]
    private var numbers: [RouteRecord: UInt32] = [:]
    private(set) var records: [RouteRecord] = []
    private(set) var v4: [Prefix<UInt32>] = []
    private(set) var v6: [Prefix<UInt128>] = []
    /// Of the local routes of IPv4.
    private(set) var local = LocalFilter()

    /// The record for addresses without a route is number 0.
    init(interfaces: [NetworkInterface]) {
        self.interfaces = Dictionary(interfaces.map { ($0.slot, $0) }, uniquingKeysWith: { first, _ in first })
        _ = number(of: RouteRecord(kind: .missing, interface: -1, gateway: nil, source: nil, mtu: 0))
    }

    /// Add routes, best first.
    mutating func add(_ routes: [Route]) {
        for route in routes {
            let record = number(of: self.record(of: route))
            let first = route.destination.masked(route.prefixLength)
            if first.isV4 {
                if case .local = route.kind { local.insert(first.v4, prefixLength: route.prefixLength) }
                v4.append(Prefix(first: first.v4, length: route.prefixLength, record: record))
            } else {
                v6.append(Prefix(first: first.key, length: route.prefixLength, record: record))
            }
        }
    }

    private func record(of route: Route) -> RouteRecord {
        let interface = route.kind == .unicast ? interfaces[route.interface] : nil
        let source = route.source ?? interface?.source(for: route.gateway ?? route.destination)
        return RouteRecord(
            kind: route.kind, interface: route.interface, gateway: route.gateway, source: source,
            mtu: route.mtu > 0 ? route.mtu : interface?.mtu ?? 0)
    }

    private mutating func number(of record: RouteRecord) -> UInt32 {
        if let number = numbers[record] { return number }
        let number = UInt32(records.count)
        numbers[record] = number
        records.append(record)
        return number
    }
}
