public import Wire

/// The rules, as the kernel's control side keeps them (`net/netfilter/ipvs/ip_vs_ctl.c`). Each call is in force before it
/// returns. Control thread.
extension Engine {
    /// Add a service.
    public func addService(_ service: VirtualService) throws(RuleError) {
        guard rules[service.key] == nil else { throw .serviceExists }
        try check(service)
        try checkVirtual(service.key)
        guard let slot = state.takeService() else { throw .tableFull }
        let rule = ServiceRule(service, slot: slot, slots: slots, provider: configuration.memory)
        // The slot may have been another service's.
        rule.traffic.fold(serviceTraffic.total(slot))
        rule.traffic.zero()
        rules[service.key] = rule
        order.append(rule)
        if batch.depth > 0, case .address(_, let address, _) = service.key { batch.virtual.insert(address) }
        note(service.key)
        publish()
    }

    /// Change scheduler, flags and persistence of a service; its destinations stay.
    public func editService(_ service: VirtualService) throws(RuleError) {
        guard let rule = rules[service.key] else { throw .noSuchService }
        try check(service)
        let isRestarted = rule.service.scheduler != service.scheduler
        rule.service = service
        rebuild(rule, isRestarted ? .started : .configured)
        note(service.key)
        publish()
    }

    /// Remove a service. Its entries stay; their clients' packets are dropped until service and destination are back.
    public func removeService(_ key: ServiceKey) throws(RuleError) {
        guard let rule = rules.removeValue(forKey: key) else { throw .noSuchService }
        rule.isRemoved = true
        if batch.depth == 0 { order.removeAll { $0 === rule } }
        for destination in rule.destinations { discard(destination, of: key) }
        if let listed = rule.listed { unlisted.append(listed) }
        state.giveBack(service: rule.slot)
        note(key)
        publish()
        flushIfWanted()
    }

    /// Remove every service.
    public func removeAllServices() {
        for rule in order where !rule.isRemoved {
            rule.isRemoved = true
            for destination in rule.destinations { discard(destination, of: rule.service.key) }
            if let listed = rule.listed { unlisted.append(listed) }
            state.giveBack(service: rule.slot)
        }
        order = []
        rules = [:]
        note(nil)
        publish()
        flushIfWanted()
    }

    /// Add a destination at the head of a service's list.
    public func addDestination(_ destination: Destination, to key: ServiceKey) throws(RuleError) {
        guard let rule = rules[key] else { throw .serviceNotDefined }
        try check(destination, of: rule)
        guard !rule.destinations.contains(where: { $0.destination.key == destination.key }) else {
            throw .destinationExists
        }
        let added: DestinationRule
        if let revived = trash.take(destination.key, of: key) {
            added = revived
            added.destination = destination
            // Zeroed up to the last fold, as by -Z: what was counted since reappears (`ip_vs_zero_stats`).
            if added.service !== rule { added.traffic.zero() }
        } else {
            guard let slot = state.takeDestination() else { throw .tableFull }
            added = DestinationRule(destination, slot: slot)
            added.traffic.fold(destinationTraffic.total(slot))
            added.traffic.zero()
        }
        added.service = rule
        put(added, of: rule)
        rule.destinations.insert(added, at: 0)
        rebuild(rule, .added(place: 0))
        note(key)
        publish()
    }

    /// Change weight, method, tunnel and thresholds of a destination; its entries keep the method they were made with.
    public func editDestination(_ destination: Destination, of key: ServiceKey) throws(RuleError) {
        guard let rule = rules[key] else { throw .serviceNotDefined }
        try check(destination, of: rule)
        guard let place = rule.destinations.firstIndex(where: { $0.destination.key == destination.key }) else {
            throw .noSuchDestination
        }
        rule.destinations[place].destination = destination
        put(rule.destinations[place], of: rule)
        rebuild(rule, .edited(place: place))
        note(key)
        publish()
    }

    /// Remove a destination. Its entries stay; their clients' packets are dropped until it is back.
    public func removeDestination(_ destination: DestinationKey, of key: ServiceKey) throws(RuleError) {
        guard let rule = rules[key] else { throw .serviceNotDefined }
        guard let place = rule.destinations.firstIndex(where: { $0.destination.key == destination }) else {
            throw .noSuchDestination
        }
        let removed = rule.destinations.remove(at: place)
        discard(removed, of: key)
        rebuild(rule, .removed(place: place, removed.record))
        note(key)
        publish()
        flushIfWanted()
    }

    /// Add a local address to a service's pool.
    public func addLocalAddress(_ address: IPAddress, to key: ServiceKey) throws(RuleError) {
        guard let rule = rules[key] else { throw .noSuchService }
        guard !rule.localAddresses.contains(address) else { throw .localAddressExists }
        try checkLocal(address, for: rule.service)
        rule.setLocalAddresses((rule.pool?.addresses ?? []) + [local(address, for: rule)])
        note(key)
        publish()
    }

    /// Take a local address out of a service's pool. Connections that use it go on.
    public func removeLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(RuleError) {
        guard let rule = rules[key] else { throw .noSuchService }
        guard rule.localAddresses.contains(address) else { throw .noSuchLocalAddress }
        let hasFullNAT = rule.destinations.contains {
            $0.destination.method == .fullNAT && $0.destination.key.address.family == address.family
        }
        let isLast = rule.localAddresses.count { $0.family == address.family } == 1
        guard !(hasFullNAT && isLast) else { throw .lastLocalAddress }
        rule.setLocalAddresses((rule.pool?.addresses ?? []).filter { $0.address != address })
        note(key)
        publish()
    }

    /// Zero the counters of a service and its destinations, or of all.
    public func zero(_ key: ServiceKey?) throws(RuleError) {
        guard key == nil || key.flatMap({ rules[$0] }) != nil else { throw .noSuchService }
        for rule in rules.values where key == nil || rule.service.key == key {
            rule.traffic.zero()
            for destination in rule.destinations { destination.traffic.zero() }
        }
    }

    /// The three timeouts that packets set from now on; running timers are not touched.
    public var timeouts: Timeouts {
        get { settings.timeouts }
        set { settings.timeouts = newValue }
    }

    private func check(_ service: VirtualService) throws(RuleError) {
        guard service.prefixLength >= (service.key.family == .v4 ? 0 : 1),
            service.prefixLength <= service.key.family.bits,
            service.tableSize == 0 || service.scheduler.tableSizes.contains(service.tableSize),
            service.sourceRate?.isUsable(service.key.family) ?? true
        else { throw .invalidArgument }
    }

    private func check(_ destination: Destination, of rule: ServiceRule) throws(RuleError) {
        guard destination.weight >= 0, destination.lowerThreshold <= destination.upperThreshold else {
            throw .outOfRange
        }
        // NAT64 is the one mixture of families that FULLNAT translates.
        let isAcross = destination.key.address.family != rule.service.key.family
        let isMixed = destination.method == .tunneling || destination.method == .fullNAT && !rule.service.key.isV4
        guard !isAcross || isMixed else { throw .familyMismatch }
        if destination.method == .fullNAT,
            !rule.localAddresses.contains(where: { $0.family == destination.key.address.family })
        {
            throw .noLocalAddress
        }
    }

    private func put(_ added: DestinationRule, of rule: ServiceRule) {
        let state = slots.destination(added.slot)
        if added.destination.weight != 0 {
            added.lastWeight = added.destination.weight
            state.clear(.draining)
            state.clear(.cutting)
        }
        state.weight = added.destination.weight
        state.serviceSlot = rule.slot
        state.tunnel = added.destination.tunnel
        state.setThresholds(upper: added.destination.upperThreshold, lower: added.destination.lowerThreshold)
        state.set(.available)
    }

    private func discard(_ removed: DestinationRule, of key: ServiceKey) {
        slots.destination(removed.slot).clear(.available)
        trash.put(removed, of: key, milliseconds: UInt64(now) * Ticks.milliseconds)
    }

    private func flushIfWanted() {
        if settings[.expireNodestConn] != 0 { requestFlush() }
    }
}
