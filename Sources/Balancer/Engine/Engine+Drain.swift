/// Drains of real servers. Control thread; the workers' part is in `Dataplane/Director+Drain.swift`.
extension Engine {
    /// Finished drains that are remembered for whoever asks.
    private static let remembered = 64

    /// Give a real server no new connections from now on, not even those of persistent clients, and end what is left of its
    /// old ones in so many milliseconds. A weight above 0, or deleting it, cancels that. A second drain of one real server
    /// replaces the first.
    public func drain(
        _ key: DestinationKey, of service: ServiceKey, milliseconds: UInt64, then ending: DrainEnding
    ) throws(RuleError) {
        guard let rule = rules[service] else { throw .serviceNotDefined }
        guard let destination = rule.destinations.first(where: { $0.destination.key == key }) else {
            throw .noSuchDestination
        }
        var quiesced = destination.destination
        quiesced.weight = 0
        try editDestination(quiesced, of: service)
        let slot = destination.slot
        slots.destination(slot).clear(.cutting)
        slots.destination(slot).set(.draining)
        drains.removeAll { $0.slot == slot }
        let open = openCount(slot)
        drains.append(
            Drain(
                service: service, destination: key, slot: slot, ending: ending, deadline: clock + milliseconds,
                first: open, open: open, next: clock))
        let finished = drains.indices.filter { !drains[$0].isRunning }
        for place in finished.dropLast(Self.remembered).reversed() { drains.remove(at: place) }
        advanceDrains()
    }

    /// The drain of a real server, with as many of its open connections as `most`; nil when there is none.
    public func drainStatus(_ key: DestinationKey, of service: ServiceKey, most: Int) -> DrainStatus? {
        guard let drain = drains.last(where: { $0.service == service && $0.destination == key }) else { return nil }
        var holdouts: [ConnectionStatus] = []
        if drain.isRunning {
            holdouts = openConnections(drain.slot)
            holdouts.sort { ($0.ageSeconds, $0.bytes) > ($1.ageSeconds, $1.bytes) }
        }
        return DrainStatus(
            phase: drain.phase, ending: drain.ending,
            remainingMilliseconds: drain.deadline > clock && drain.isRunning ? drain.deadline - clock : 0,
            first: drain.first, open: drain.isRunning ? holdouts.count : drain.open, cut: drain.cut,
            silent: drain.silent, holdouts: Array(holdouts.prefix(most)))
    }

    /// Entries of a destination whose connections have not ended.
    private func openConnections(_ slot: UInt32) -> [ConnectionStatus] {
        guard slots.destination(slot).references != 0 else { return [] }
        var open: [ConnectionStatus] = []
        forEachEntry { entry in
            if entry.destinationSlot == slot, entry.isOpen { open.append(status(entry)) }
        }
        return open
    }

    private func openCount(_ slot: UInt32) -> Int {
        guard slots.destination(slot).references != 0 else { return 0 }
        var count = 0
        forEachEntry { entry in
            if entry.destinationSlot == slot, entry.isOpen { count += 1 }
        }
        return count
    }

    /// See to the drains whose time it is.
    func advanceDrains() {
        for place in drains.indices where drains[place].isRunning && drains[place].next <= clock {
            advance(&drains[place])
        }
    }

    private func advance(_ drain: inout Drain) {
        let state = slots.destination(drain.slot)
        guard state.isAvailable, state.flags.contains(.draining) else {
            state.clear(.cutting)
            drain.phase = .cancelled
            return
        }
        drain.open = openCount(drain.slot)
        drain.next = clock + Drain.interval
        if drain.phase == .waiting, clock < drain.deadline { drain.next = min(drain.next, drain.deadline) }
        guard drain.open > 0 else {
            state.clear(.cutting)
            drain.phase = .done
            return
        }
        switch drain.phase {
        case .waiting:
            guard clock >= drain.deadline else { return }
            drain.phase = .cutting
            drain.cut = drain.open
            drain.patience = drain.deadline + Drain.asking
            state.set(drain.ending == .reset ? .resetting : .ending)
        case .cutting:
            guard !state.flags.contains(.ending), clock >= drain.patience else { break }
            drain.silent = drain.open
            state.clear(.resetting)
            state.set(.ending)
        case .done, .cancelled: return
        }
        drain.next = clock + Drain.interval * 2
        requestFlush()
    }
}
