/// What listings show. Control thread.
extension Engine {
    /// Every service, in the order they were added.
    public func services() -> [ServiceStatus] { order.lazy.filter { !$0.isRemoved }.map { status($0) } }

    /// One service; nil when there is none.
    public func service(_ key: ServiceKey) -> ServiceStatus? {
        rules[key].map { status($0) }
    }

    private func status(_ rule: ServiceRule) -> ServiceStatus {
        ServiceStatus(
            service: rule.service, counters: rule.traffic.counters, rates: rule.traffic.rates,
            destinations: rule.destinations.map { status($0) },
            localAddresses: (rule.pool?.addresses ?? []).map { status($0) })
    }

    private func status(_ local: LocalAddress) -> LocalAddressStatus {
        let used = local.inUse
        return LocalAddressStatus(
            address: local.address, connections: UInt32(used), free: UInt32(max(local.ports - used, 0)),
            exhausted: local.exhausted)
    }

    private func status(_ rule: DestinationRule) -> DestinationStatus {
        let state = slots.destination(rule.slot)
        return DestinationStatus(
            destination: rule.destination, activeConnections: UInt32(max(0, state.active)),
            inactiveConnections: UInt32(max(0, state.inactive)),
            persistentConnections: UInt32(max(0, state.persistent)), counters: rule.traffic.counters,
            rates: rule.traffic.rates)
    }

    /// Every entry and template, in no order.
    public func connections() -> [ConnectionStatus] {
        var list: [ConnectionStatus] = []
        forEachEntry { list.append(status($0)) }
        return list
    }

    /// What changes since the last call did to the tables of schedulers, in the order the services were added; of each
    /// service the last change. Those that moved nothing, and schedulers without a table, are left out.
    public func takeTableDisruptions() -> [(service: VirtualService, disruption: TableDisruption)] {
        order.compactMap { rule in
            guard !rule.isRemoved, let disruption = rule.takeDisruption() else { return nil }
            return disruption.moved > 0 ? (rule.service, disruption) : nil
        }
    }

    func status(_ entry: ConnectionEntry) -> ConnectionStatus {
        let isTemplate = entry.kind.contains(.template)
        let isRenamed = entry.flags.contains(.renamed)
        let remaining = Int32(bitPattern: entry.deadline &- now)
        let state =
            isTemplate
            ? (entry.state == 0 ? "NONE" : "ASSURED")
            : Transport(entry.transportProtocol)?.name(of: entry.state) ?? "NONE"
        return ConnectionStatus(
            transportProtocol: entry.transportProtocol,
            remainingSeconds: max(0, Int(remaining)) / Int(Ticks.perSecond), state: state,
            client: DestinationKey(address: entry.client, port: entry.clientPort),
            virtual: DestinationKey(address: entry.virtual, port: isRenamed ? 0xffff : entry.virtualPort),
            destination: DestinationKey(address: entry.destination, port: isRenamed ? 0xffff : entry.destinationPort),
            isTemplate: isTemplate, ageSeconds: Int((now &- entry.created) / Ticks.perSecond), bytes: entry.bytes)
    }
}
