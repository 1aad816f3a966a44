import Wire

/// A destination on the control side.
final class DestinationRule {
    var destination: Destination
    let slot: UInt32
    var lastWeight: Int32
    var traffic = FoldedTraffic()
    /// The service it was bound to last: another one starts its counters anew.
    weak var service: ServiceRule?

    init(_ destination: Destination, slot: UInt32) {
        self.destination = destination
        self.slot = slot
        lastWeight = destination.weight
    }

    var record: DestinationRecord {
        DestinationRecord(
            address: destination.key.address, port: destination.key.port, method: destination.method,
            tunnelKind: destination.tunnel.kind, tunnelPort: destination.tunnel.port,
            tunnelChecksum: destination.tunnel.checksum, slot: slot, weight: destination.weight, lastWeight: lastWeight)
    }
}

/// A service on the control side; destinations newest first.
final class ServiceRule {
    var service: VirtualService
    let slot: UInt32
    var destinations: [DestinationRule] = []
    /// The addresses of `pool`, in the order they were added.
    private(set) var localAddresses: [IPAddress] = []
    /// The pool of FULLNAT; nil: none.
    private(set) var pool: LocalPool?
    var traffic = FoldedTraffic()
    /// Set when it was removed in a batch that is not over.
    var isRemoved = false
    private(set) var block: ServiceBlock
    /// The record whose real servers the engine's `ServerDirectory` has.
    var listed: ServiceBlock?
    private let provider: MemoryProvider
    private var memory: SchedulerMemory?
    private var schedulerTable: [UInt32] = []
    /// Whom each place of the scheduler's table belongs to; empty where it has none.
    private var owners: [DestinationKey] = []
    /// What the last change did to the table; nil for a scheduler without one, and for its first table.
    private var disruption: TableDisruption?

    init(_ service: VirtualService, slot: UInt32, slots: StateSlots, provider: MemoryProvider) {
        self.service = service
        self.slot = slot
        self.provider = provider
        block = ServiceBlock(Self.header(service, slot: slot), destinations: [], table: [])
        rebuild(.started, slots)
    }

    /// Make the record anew after a change.
    func rebuild(_ change: ServiceChange, _ slots: StateSlots) {
        if case .started = change { memory = service.scheduler.makeMemory(provider) }
        let records = destinations.map(\.record)
        for (place, rule) in destinations.enumerated() {
            let state = slots.destination(rule.slot)
            state.place = UInt32(place)
            state.setTimeouts(service.timeouts)
        }
        let prepared = service.scheduler.prepare(
            change,
            ServiceDestinations(records: records, flags: service.schedulerFlags, tableSize: service.tableSize),
            slots.service(slot))
        note(prepared.table)
        var header = Self.header(service, slot: slot)
        header.schedulerNumbers = prepared.numbers
        schedulerTable = prepared.table
        block = ServiceBlock(header, destinations: records, table: schedulerTable, memory: memory, pool: pool)
    }

    /// Use these local addresses from now on. Nothing that the scheduler prepared changes.
    func setLocalAddresses(_ addresses: [LocalAddress]) {
        localAddresses = addresses.map(\.address)
        pool = addresses.isEmpty ? nil : LocalPool(addresses)
        var header = Self.header(service, slot: slot)
        header.schedulerNumbers = unsafe block.record.pointee.schedulerNumbers
        block = ServiceBlock(
            header, destinations: destinations.map(\.record), table: schedulerTable, memory: memory, pool: pool)
    }

    /// What the last change did to the scheduler's table, once.
    func takeDisruption() -> TableDisruption? {
        defer { disruption = nil }
        return disruption
    }

    private func note(_ table: [UInt32]) {
        let before = owners
        owners = service.scheduler.hasTableOfPlaces ? table.map { destinations[Int($0)].destination.key } : []
        disruption = before.isEmpty || owners.isEmpty ? nil : TableDisruption(from: before, to: owners)
    }

    private static func header(_ service: VirtualService, slot: UInt32) -> ServiceRecord {
        ServiceRecord(service, slot: slot)
    }
}
