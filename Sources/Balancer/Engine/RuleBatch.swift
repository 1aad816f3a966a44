public import Wire

/// Changes of the rules that come into force together.
struct RuleBatch {
    /// How many calls of `changeRules` are under way, one inside another.
    var depth = 0
    /// Whether there is something to publish.
    var isChanged = false
    /// Addresses of services that were added and are not published yet.
    var virtual: Set<IPAddress> = []
    /// Services whose scheduler's table is to be made anew.
    var stale: [ObjectIdentifier: ServiceRule] = [:]
}

extension Engine {
    /// Change the rules in one step: workers see all of it or nothing, and what follows the rules (socket filters, guard)
    /// needs to follow once. Each change is checked as ever; one that throws does not undo those before it. Control
    /// thread.
    public func changeRules<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        batch.depth += 1
        defer { endBatch() }
        try body()
    }

    private func endBatch() {
        batch.depth -= 1
        guard batch.depth == 0 else { return }
        order.removeAll { $0.isRemoved }
        let stale = batch.stale.values
        let isChanged = batch.isChanged
        batch = RuleBatch()
        for rule in stale where !rule.isRemoved { rule.rebuild(.configured, slots) }
        if isChanged { publish() }
    }

    /// Make a service's record anew after a change, a table of places (which follows from the destinations alone) once a
    /// batch only.
    func rebuild(_ rule: ServiceRule, _ change: ServiceChange) {
        if batch.depth > 0, rule.service.scheduler.implementation.isTableOfPlaces {
            if case .started = change {
            } else {
                batch.stale[ObjectIdentifier(rule)] = rule
                return
            }
        }
        rule.rebuild(change, slots)
    }
}

extension Engine {
    /// The services that were added, changed or removed since this was asked last; nil when there were too many to name.
    /// Whoever follows the rules may then look at these only. Control thread.
    public func takeChangedServices() -> Set<ServiceKey>? {
        defer { changed = [] }
        return changed
    }

    /// Note that a service was added, changed or removed, or (nil) that all were.
    func note(_ key: ServiceKey?) {
        guard let key, (changed?.count ?? .max) < Self.mostChanged else {
            changed = nil
            return
        }
        changed?.insert(key)
    }

    /// Services that are remembered as changed.
    private static var mostChanged: Int { 64 }

    /// Services and destinations in the rules. Control thread.
    public var ruleCount: Int { order.reduce(0) { $0 + 1 + $1.destinations.count } }
}

extension Engine {
    /// Every service with its destinations, newest first, and its local addresses, in the order they were added: what
    /// rules say, without what goes on under them. Control thread.
    ///
    /// - Parameter keys: only these services, in no order; nil: all.
    public func forEachRule(
        of keys: Set<ServiceKey>? = nil, _ body: (VirtualService, [Destination], [IPAddress]) -> Void
    ) {
        for rule in keys.map({ $0.compactMap { rules[$0] } }) ?? order where !rule.isRemoved {
            body(rule.service, rule.destinations.map(\.destination), rule.localAddresses)
        }
    }
}
