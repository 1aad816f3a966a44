public import Balancer
import Wire

extension SyncPlan {
    /// Compare what is desired with a table as it stands.
    ///
    /// A destination of ours that is not desired any more gets weight 0 and goes once it has no connections; one of a
    /// UDP service goes at once, since its clients would keep it alive (`pkg/proxy/ipvs/graceful_termination.go`). A
    /// service of ours that is not desired any more goes at once. What was made by hand stays: services, and destinations
    /// of our services.
    public init(
        desired: [DesiredService], table: [ServiceStatus], owned: OwnedRules, options: SyncOptions = SyncOptions()
    ) {
        let live = Dictionary(table.map { ($0.service.key, $0) }, uniquingKeysWith: { first, _ in first })
        for wanted in desired {
            if let status = live[wanted.service.key] {
                bring(status, to: wanted, owned, options)
            } else {
                make(wanted)
            }
        }
        let wanted = Set(desired.map(\.service.key))
        for status in table where !wanted.contains(status.service.key) {
            let key = status.service.key
            guard let ours = owned.destinations[key] else { continue }
            if case .address(_, let address, _) = key,
                options.excludedPrefixes.contains(where: { $0.contains(address) })
            {
                self.owned.destinations[key] = ours
                self.owned.localAddresses[key] = owned.localAddresses[key]
            } else {
                changes.append(.removeService(key))
            }
        }
    }

    private mutating func make(_ wanted: DesiredService) {
        let key = wanted.service.key
        changes.append(.addService(wanted.service))
        addLocalAddresses(wanted, present: [])
        for destination in wanted.destinations { changes.append(.addDestination(.translating(destination), key)) }
        owned.destinations[key] = Set(wanted.destinations)
    }

    private mutating func bring(
        _ status: ServiceStatus, to wanted: DesiredService, _ owned: OwnedRules, _ options: SyncOptions
    ) {
        let key = wanted.service.key
        let desired = Set(wanted.destinations)
        guard var ours = owned.destinations[key] ?? Self.adopted(status, wanted, desired, options) else {
            remarks.append(
                "\(wanted.name): \(RuleText.service(key)) was not made for it and is left alone; --adopt takes it over")
            return
        }
        if status.service != wanted.service { changes.append(.editService(wanted.service)) }
        let locals = Set(status.localAddresses.map(\.address))
        addLocalAddresses(wanted, present: locals)
        for address in locals.intersection(owned.localAddresses[key] ?? []).subtracting(wanted.localAddresses).sorted()
        {
            changes.append(.removeLocalAddress(address, key))
        }
        for live in status.destinations {
            let destination = live.destination
            if !ours.contains(destination.key) {
                // By hand, but exactly what is wanted: from now on ours.
                if destination == .translating(destination.key), desired.contains(destination.key) {
                    ours.insert(destination.key)
                }
            } else if desired.contains(destination.key) {
                let right = Destination.translating(destination.key)
                if destination != right { changes.append(.editDestination(right, key)) }
            } else if retire(live, key) {
                ours.remove(destination.key)
            }
        }
        let present = Set(status.destinations.map(\.destination.key))
        for destination in wanted.destinations where !present.contains(destination) {
            changes.append(.addDestination(.translating(destination), key))
            ours.insert(destination)
        }
        self.owned.destinations[key] = ours.intersection(present.union(desired))
    }

    private mutating func addLocalAddresses(_ wanted: DesiredService, present: Set<IPAddress>) {
        let key = wanted.service.key
        for address in wanted.localAddresses where !present.contains(address) {
            changes.append(.addLocalAddress(address, key))
        }
        if !wanted.localAddresses.isEmpty { owned.localAddresses[key] = Set(wanted.localAddresses) }
    }

    /// Let a destination go, now (true) or when its connections have ended.
    private mutating func retire(_ live: DestinationStatus, _ key: ServiceKey) -> Bool {
        var isUDP = false
        if case .address(IPProtocol.udp, _, _) = key { isUDP = true }
        guard !isUDP, live.activeConnections > 0 || live.inactiveConnections > 0 else {
            changes.append(.removeDestination(live.destination.key, key))
            return true
        }
        draining += 1
        if live.destination.weight != 0 {
            changes.append(.editDestination(.translating(live.destination.key, weight: 0), key))
        }
        return false
    }

    /// The destinations that become ours of a service that was not: all of them where that is asked for, or where the
    /// service is what we would have made (as after a restart of a daemon that kept its rules). Nil: it stays as it is.
    private static func adopted(
        _ status: ServiceStatus, _ wanted: DesiredService, _ desired: Set<DestinationKey>, _ options: SyncOptions
    ) -> Set<DestinationKey>? {
        let keys = Set(status.destinations.map(\.destination.key))
        if options.adopts { return keys }
        var service = wanted.service
        service.masquerade = status.service.masquerade
        guard status.service == service,
            status.destinations.allSatisfy({ $0.destination == .translating($0.destination.key) }),
            keys.isSubset(of: desired),
            status.localAddresses.allSatisfy({ wanted.localAddresses.contains($0.address) })
        else { return nil }
        return keys
    }
}
