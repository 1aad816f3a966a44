public import Synchronization
import Wire

/// Sizes and secrets of an engine, fixed at start.
public struct EngineConfiguration: Sendable {
    /// Most connection entries, templates included.
    public var entries: Int
    /// Workers.
    public var workers: Int
    /// Most services.
    public var services: Int
    /// Most destinations, deleted ones that still have entries included.
    public var destinations: Int
    /// Sources whose rate of new connections is known at a time (`SourceRate`).
    public var sources: Int
    /// Keys the table's hash.
    public var secret: HashSecret
    /// Where memory comes from.
    public var memory: MemoryProvider
    /// Whether the virtual addresses that the host has not are the engine's own. Otherwise they are nobody's here, as in the
    /// kernel, and another director may have them.
    public var ownsAddresses: Bool

    /// From its parts.
    public init(
        entries: Int = 1 << 18, workers: Int = 1, services: Int = 1 << 14, destinations: Int = 1 << 16,
        sources: Int = 1 << 16, secret: HashSecret, memory: MemoryProvider = .heap, ownsAddresses: Bool = true
    ) {
        self.entries = entries
        self.workers = workers
        self.services = services
        self.destinations = destinations
        self.sources = sources
        self.secret = secret
        self.memory = memory
        self.ownsAddresses = ownsAddresses
    }
}

/// The state that rules, workers and listings share: the connection table, the slots, the counters, the settings, and the
/// published snapshot of the services.
///
/// Rules are changed, listed and folded by one control thread at a time (the caller sees to that); workers read the
/// published snapshot and work on the table and slots meanwhile.
@safe
public final class Engine: @unchecked Sendable {
    /// What it was made with.
    public let configuration: EngineConfiguration
    /// The settings in force.
    public let settings = Settings()
    let tableMemory: ConnectionTableMemory
    let state: StateMemory
    let serviceTraffic: TrafficCells
    let destinationTraffic: TrafficCells
    private let sourceMemory: SourceRateMemory
    /// The workers' inboxes.
    public let inboxes: Inboxes
    /// Raised to have workers end the entries of deleted destinations (`expire_nodest_conn`).
    let flushes: UnsafeMutablePointer<Atomic<UInt32>>
    let published: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<ServiceTableView>>>
    private let reader: Participant
    private var current: PublishedTable
    /// The real servers for NAT of all services.
    private var servers = ServerDirectory(room: 0)
    /// Records of removed services whose real servers `servers` still has.
    var unlisted: [ServiceBlock] = []
    private var retired: [(table: PublishedTable, epoch: UInt64)] = []
    private var tick: Tick = 0
    /// The control side's clock in milliseconds.
    private(set) var clock: UInt64 = 0
    private var nextFold: UInt64?
    private var nextDefense: UInt64 = 0
    /// Grows with every change of the rules.
    public private(set) var revision: UInt64 = 0

    /// The host's network as it stands, where rules depend on it; nil: not known. Set before the first rule.
    public var network: (@Sendable () -> RoutingSnapshot)?
    /// The ports that the host gives its own outgoing connections; nil: not known. Set before the first rule.
    public var hostPorts: (@Sendable () -> [ClosedRange<UInt16>])?

    /// Services in the order they were added.
    var order: [ServiceRule] = []
    var rules: [ServiceKey: ServiceRule] = [:]
    /// Rules that mark packets, in order.
    public internal(set) var markRules: [MarkRule] = []
    var trash = DestinationTrash()
    /// Deleted destinations that connections still use, in no order. Control thread.
    public var departedDestinations: [(service: ServiceKey, destination: Destination)] { trash.inUse(slots) }
    var batch = RuleBatch()
    /// Services that changed since somebody asked; nil: too much to name.
    var changed: Set<ServiceKey>? = []
    /// Every local address that a service lists or an entry uses.
    var locals: [IPAddress: LocalAddress] = [:]
    /// The host's addresses for connections that the host itself opens; nil: none.
    var hostPool: LocalPool?
    /// The local addresses of connections to real servers on the host itself; nil: none.
    var ownServerPool: LocalPool?
    var drains: [Drain] = []

    /// An engine without rules.
    public init(_ configuration: EngineConfiguration) {
        self.configuration = configuration
        let workers = max(configuration.workers, 1)
        tableMemory = ConnectionTableMemory(
            size: TableSize(entries: configuration.entries, workers: workers), secret: configuration.secret,
            provider: configuration.memory)
        state = StateMemory(
            destinations: configuration.destinations, services: configuration.services, provider: configuration.memory)
        serviceTraffic = TrafficCells(slots: configuration.services, workers: workers, provider: configuration.memory)
        destinationTraffic = TrafficCells(
            slots: configuration.destinations, workers: workers, provider: configuration.memory)
        sourceMemory = SourceRateMemory(
            sources: configuration.sources, secret: configuration.secret, provider: configuration.memory)
        inboxes = Inboxes(workers: workers)
        unsafe flushes = .allocate(capacity: 1)
        unsafe flushes.initialize(to: Atomic(0))
        current = PublishedTable(ServiceTable([], servers: servers))
        unsafe published = .allocate(capacity: 1)
        unsafe published.initialize(to: Atomic(current.view))
        reader = Participant(tableMemory.table, number: workers)
    }

    deinit {
        unsafe published.deallocate()
        unsafe flushes.deallocate()
    }

    // MARK: What workers read

    /// The connection table.
    public var table: ConnectionTable { tableMemory.table }
    /// Bytes of the table for a full set of IPv4 entries.
    public var tableBytes: Int { tableMemory.bytes }
    /// The state of destinations and services.
    public var slots: StateSlots { state.slots }
    /// What sources used of their services' limits.
    public var sourceRates: SourceRates { sourceMemory.rates }
    /// What workers read of the rules.
    public var view: EngineView { unsafe EngineView(published, flushes) }
    /// The services in force; valid until the worker's next quiescent point.
    public var serviceTable: ServiceTableView { view.services }
    /// A worker's counters of services.
    public func serviceRow(worker: Int) -> TrafficRow { serviceTraffic.row(worker: worker) }
    /// A worker's counters of destinations.
    public func destinationRow(worker: Int) -> TrafficRow { destinationTraffic.row(worker: worker) }
    func requestFlush() { unsafe _ = flushes.pointee.wrappingAdd(1, ordering: .relaxed) }

    // MARK: Publishing

    /// Put the rules in force: workers see them from their next batch on.
    func publish() {
        revision += 1
        guard batch.depth == 0 else {
            batch.isChanged = true
            return
        }
        let old = current
        settleLocals()
        followServers()
        current = PublishedTable(
            ServiceTable(
                order.map(\.block), servers: servers, locals: Array(locals.values), hostPool: hostPool,
                ownServerPool: ownServerPool,
                markRules: markRules,
                markedAddresses: markRules.isEmpty ? [] : markedAddresses,
                ownsAddresses: configuration.ownsAddresses))
        unsafe published.pointee.store(current.view, ordering: .sequentiallyConsistent)
        retired.append((old, table.epoch))
        noteUnlistedLocals()
        collect()
    }

    /// Have `servers` know what the rules say.
    private func followServers() {
        let count = order.reduce(0) { $0 + $1.destinations.count }
        if servers.isTooLarge(for: count) || !listChangedServers() {
            servers = ServerDirectory(room: count)
            for rule in order {
                let isListed = servers.add(rule.block)
                assert(isListed)
                rule.listed = rule.block
            }
        } else {
            for block in unlisted { servers.remove(block) }
        }
        unlisted = []
    }

    /// Add what is new, before what is old goes.
    /// - Returns: false when there is no room.
    private func listChangedServers() -> Bool {
        for rule in order where rule.listed !== rule.block {
            guard servers.add(rule.block) else { return false }
            if let listed = rule.listed { unlisted.append(listed) }
            rule.listed = rule.block
        }
        return true
    }

    /// Free snapshots that no worker can read any more.
    private func collect() {
        let epoch = table.advanceEpoch(table.epoch)
        retired.removeAll { $0.epoch &+ 2 <= epoch }
    }

    // MARK: Time

    /// The control side's clock: folds counters at every even second and lets deleted destinations go.
    /// - Parameters:
    ///   - milliseconds: since the start; never less than before.
    public func advance(milliseconds: UInt64) {
        clock = milliseconds
        tick = Tick(truncatingIfNeeded: milliseconds / Ticks.milliseconds)
        let interval = UInt64(FoldedTraffic.interval) * 1000
        var next = nextFold ?? milliseconds / interval * interval
        while next <= milliseconds {
            if settings[.runEstimation] != 0 { foldCounters() }
            next += interval
        }
        nextFold = next
        if milliseconds >= nextDefense {
            updateDefense(startsSweep: true)
            nextDefense = milliseconds + Self.defenseInterval
        }
        advanceDrains()
        for slot in trash.expired(milliseconds: milliseconds, slots) { state.giveBack(destination: slot) }
        if !retired.isEmpty { collect() }
        if hasUnsettledLocals { publish() }
    }

    /// Milliseconds between looks at whether entries are short (`ip_vs_ctl.c`, `DEFENSE_TIMER_PERIOD`).
    private static let defenseInterval: UInt64 = 1000

    private func updateDefense(startsSweep: Bool) {
        let modes = Defense.Modes(
            entry: settings[.dropEntry], packet: settings[.dropPacket], secure: settings[.secureTcp])
        let defense = Defense(
            modes: modes, free: Int(table.capacity) - table.count, threshold: settings[.amemthresh],
            rate: settings[.amDroprate])
        settings.put(defense, startsSweep: startsSweep)
    }

    /// Change a setting. What it does to the defences is in force at once.
    public func set(_ setting: Setting, to value: Int32) {
        settings[setting] = value
        updateDefense(startsSweep: false)
    }

    /// The control side's clock in ticks.
    public var now: Tick { tick }

    private func foldCounters() {
        for rule in order {
            rule.traffic.fold(serviceTraffic.total(rule.slot))
            for destination in rule.destinations {
                destination.traffic.fold(destinationTraffic.total(destination.slot))
            }
        }
    }

    // MARK: Walking the table

    /// Every entry and template, in no order. Workers go on meanwhile.
    public func forEachEntry(_ body: (ConnectionEntry) -> Void) {
        reader.enter()
        defer { reader.leave() }
        for index in 0..<table.usedEntries {
            let entry = table.entry(index)
            let flags = entry.flags
            if flags.contains(.hashed), !flags.contains(.removed) { body(entry) }
        }
    }
}

/// A snapshot of the services with the view that workers load.
@safe
private final class PublishedTable {
    let table: ServiceTable
    let view: UnsafeMutablePointer<ServiceTableView>

    init(_ table: ServiceTable) {
        self.table = table
        unsafe view = .allocate(capacity: 1)
        unsafe view.initialize(to: table.view)
    }

    deinit { unsafe view.deallocate() }
}

/// The workers' sight of an engine's rules: two words that the control thread writes.
@safe
public struct EngineView {
    @usableFromInline let published: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<ServiceTableView>>>
    @usableFromInline let flushes: UnsafeMutablePointer<Atomic<UInt32>>

    init(
        _ published: UnsafeMutablePointer<Atomic<UnsafeMutablePointer<ServiceTableView>>>,
        _ flushes: UnsafeMutablePointer<Atomic<UInt32>>
    ) {
        unsafe self.published = published
        unsafe self.flushes = flushes
    }

    /// The services in force; valid until the worker's next quiescent point.
    @inlinable @inline(__always)
    public var services: ServiceTableView { unsafe published.pointee.load(ordering: .acquiring).pointee }

    /// How often the entries of deleted destinations were to be ended.
    @inlinable @inline(__always)
    public var flushCount: UInt32 { unsafe flushes.pointee.load(ordering: .relaxed) }
}
