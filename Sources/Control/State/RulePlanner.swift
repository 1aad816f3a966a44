import Balancer
import Configuration
import Wire

/// Compares rules that are wanted with those in force: the plan for people, and the steps that bring it about.
///
/// Destinations are known by address and port, services by their key; order makes no difference.
struct RulePlanner {
    private(set) var plan = RulePlan()
    private var additions: [RuleOperation] = []
    private var removals: [RuleOperation] = []
    /// Timeouts to be set; nil: they stay.
    private(set) var timeouts: Timeouts?
    /// Settings to be set.
    private(set) var settings: [Setting: Int32] = [:]
    /// Destinations that go, and those of services that go.
    private(set) var leaving: [(destination: Destination, service: ServiceKey)] = []

    /// Steps in an order in which only the first part can be refused, and can be undone.
    var operations: [RuleOperation] { additions + removals }

    /// What is wanted, beside what `engine` holds. Control thread.
    init(_ wanted: RuleState, engine: Engine) {
        self.init(wanted, services: engine.services())
        compare(wanted.marks, engine.namedMarks)
        if let timeouts = wanted.timeouts { compare(timeouts, engine.timeouts) }
        for setting in Setting.allCases {
            guard let value = wanted.settings[setting], value != engine.settings[setting] else { continue }
            settings[setting] = value
            plan.settings.append("setting \(setting.name) \(engine.settings[setting]) -> \(value)")
        }
    }

    /// What is wanted, beside services as they stand.
    init(_ wanted: RuleState, services: [ServiceStatus]) {
        let current = Dictionary(services.map { ($0.service.key, $0) }, uniquingKeysWith: { first, _ in first })
        var kept: Set<ServiceKey> = []
        for service in wanted.services {
            kept.insert(service.service.key)
            if let status = current[service.service.key] { change(status, to: service) } else { add(service) }
        }
        for status in services where !kept.contains(status.service.key) { remove(status) }
        for service in plan.services { plan.effect.add(service.effect) }
    }

    private mutating func compare(_ wanted: Timeouts, _ current: Timeouts) {
        guard wanted != current else { return }
        timeouts = wanted
        for (name, old, new) in [
            ("tcp", current.tcp, wanted.tcp), ("tcp_fin", current.tcpFin, wanted.tcpFin),
            ("udp", current.udp, wanted.udp),
        ] where old != new { plan.settings.append("timeout \(name) \(old) -> \(new)") }
    }

    private mutating func compare(_ wanted: [NamedMark], _ current: [NamedMark]) {
        guard wanted != current else { return }
        additions.append(.setMarks(wanted, from: current))
        plan.marks = wanted.filter { !current.contains($0) }.map { "+ mark \($0)" }
        plan.marks += current.filter { !wanted.contains($0) }.map { "- mark \($0)" }
        if plan.marks.isEmpty { plan.marks = ["~ marks: their order"] }
    }

    // MARK: Services that come and go

    private mutating func add(_ service: RuleState.Service) {
        let key = service.service.key
        additions.append(.addService(service.service))
        additions += service.localAddresses.map { .addLocalAddress($0, key) }
        additions += service.destinations.map { .addDestination($0, key) }
        plan.services.append(
            RulePlan.ServiceChange(
                action: .add, service: key.title, details: ["scheduler \(service.service.scheduler.name)"],
                destinations: service.destinations.map { destination in
                    RulePlan.DestinationChange(
                        action: .add, destination: destination.key.title,
                        details: [destination.method.listedName, "weight \(destination.weight)"], established: 0,
                        effect: RulePlan.Effect())
                }, unchangedDestinations: 0, rehash: nil, effect: RulePlan.Effect()))
    }

    private mutating func remove(_ status: ServiceStatus) {
        let key = status.service.key
        removals.append(.removeService(key))
        leaving += status.destinations.map { ($0.destination, key) }
        let destinations = status.destinations.reversed().map { Self.removal($0, of: key) }
        var effect = RulePlan.Effect()
        for destination in destinations { effect.add(destination.effect) }
        plan.services.append(
            RulePlan.ServiceChange(
                action: .remove, service: key.title, details: [], destinations: destinations,
                unchangedDestinations: 0, rehash: nil, effect: effect))
    }

    private static func removal(_ status: DestinationStatus, of key: ServiceKey) -> RulePlan.DestinationChange {
        let established = status.established(of: key)
        return RulePlan.DestinationChange(
            action: .remove, destination: status.destination.key.title, details: [], established: established,
            effect: RulePlan.Effect(cut: established))
    }

    // MARK: Services that stay

    private mutating func change(_ status: ServiceStatus, to wanted: RuleState.Service) {
        let key = status.service.key
        var details: [String] = []
        let oldPool = status.localAddresses.map(\.address)
        // First: the host's own address may be a local one only of a service with a masquerade rule.
        if wanted.service != status.service {
            details += Self.differences(status.service, wanted.service)
            additions.append(.editService(wanted.service, from: status.service))
        }
        for address in wanted.localAddresses where !oldPool.contains(address) {
            details.append("local address \(address) added")
            additions.append(.addLocalAddress(address, key))
        }
        var change = RulePlan.ServiceChange(
            action: .change, service: key.title, details: [], destinations: [], unchangedDestinations: 0, rehash: nil,
            effect: RulePlan.Effect())
        let kept = compareDestinations(status, wanted, &change)
        for destination in status.destinations.reversed() where !kept.contains(destination.destination.key) {
            removals.append(.removeDestination(destination.destination.key, key))
            leaving.append((destination.destination, key))
            change.destinations.append(Self.removal(destination, of: key))
        }
        for address in oldPool where !wanted.localAddresses.contains(address) {
            details.append("local address \(address) removed")
            removals.append(.removeLocalAddress(address, key))
        }
        plan.unchangedDestinations += change.unchangedDestinations
        guard !details.isEmpty || !change.destinations.isEmpty else {
            plan.unchangedServices += 1
            return
        }
        change.details = details
        for destination in change.destinations { change.effect.add(destination.effect) }
        if let (rehash, established) = RehashEstimate(status, wanted).result {
            change.rehash = rehash
            change.effect.rehashed = established
        }
        plan.services.append(change)
    }

    /// - Returns: the wanted destinations' keys.
    private mutating func compareDestinations(
        _ status: ServiceStatus, _ wanted: RuleState.Service, _ change: inout RulePlan.ServiceChange
    ) -> Set<DestinationKey> {
        let key = status.service.key
        let old = Dictionary(
            status.destinations.map { ($0.destination.key, $0) }, uniquingKeysWith: { first, _ in first })
        var kept: Set<DestinationKey> = []
        for destination in wanted.destinations {
            kept.insert(destination.key)
            guard let before = old[destination.key] else {
                additions.append(.addDestination(destination, key))
                change.destinations.append(
                    RulePlan.DestinationChange(
                        action: .add, destination: destination.key.title,
                        details: [destination.method.listedName, "weight \(destination.weight)"], established: 0,
                        effect: RulePlan.Effect()))
                continue
            }
            guard before.destination != destination else {
                change.unchangedDestinations += 1
                continue
            }
            additions.append(.editDestination(destination, from: before.destination, key))
            let established = before.established(of: key)
            let isDrained = before.destination.weight > 0 && destination.weight == 0
            change.destinations.append(
                RulePlan.DestinationChange(
                    action: .change, destination: destination.key.title,
                    details: Self.differences(before.destination, destination), established: established,
                    effect: RulePlan.Effect(drained: isDrained ? established : 0)))
        }
        return kept
    }

    // MARK: Differences in words

    private static func differences(_ old: VirtualService, _ new: VirtualService) -> [String] {
        var words: [String] = []
        func note(_ name: String, _ old: String, _ new: String) {
            if old != new { words.append("\(name) \(old) -> \(new)") }
        }
        note("scheduler", old.scheduler.name, new.scheduler.name)
        note("flags", old.flagWords, new.flagWords)
        note("table_size", "\(old.tableSize)", "\(new.tableSize)")
        note("persistence", old.persistence?.words ?? "none", new.persistence?.words ?? "none")
        note("one_packet", "\(old.isOnePacket)", "\(new.isOnePacket)")
        note("client_address", "\(old.clientAddress)", "\(new.clientAddress)")
        if old.timeouts != new.timeouts { words.append("timeouts") }
        if old.sourceRate != new.sourceRate { words.append("source_rate") }
        if old.masquerade != new.masquerade { words.append("masquerade") }
        return words.isEmpty ? ["options"] : words
    }

    private static func differences(_ old: Destination, _ new: Destination) -> [String] {
        var words: [String] = []
        func note(_ name: String, _ old: String, _ new: String) {
            if old != new { words.append("\(name) \(old) -> \(new)") }
        }
        note("weight", "\(old.weight)", "\(new.weight)")
        note("method", old.method.listedName, new.method.listedName)
        note("upper_threshold", "\(old.upperThreshold)", "\(new.upperThreshold)")
        note("lower_threshold", "\(old.lowerThreshold)", "\(new.lowerThreshold)")
        return words.isEmpty ? ["tunnel"] : words
    }
}

extension VirtualService {
    fileprivate var flagWords: String {
        let words = schedulerFlags.names(scheduler: scheduler)
        return words.isEmpty ? "none" : words
    }
}

extension Persistence {
    fileprivate var words: String { "\(timeout) s /\(prefixLength)" }
}

extension DestinationStatus {
    /// Connections in use: those of UDP have no state that would tell, and all count as inactive (`ActiveConn`,
    /// `InActConn` of `ipvsadm -L`).
    func established(of key: ServiceKey) -> Int {
        if case .address(IPProtocol.udp, _, _) = key { return Int(activeConnections) + Int(inactiveConnections) }
        return Int(activeConnections)
    }
}
