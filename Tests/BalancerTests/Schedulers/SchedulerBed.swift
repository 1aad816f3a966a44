import TestSupport
import Wire

@testable import Balancer

/// A service on its own: destinations are added, edited and removed as the engine does it, and picks are asked for.
final class SchedulerBed {
    let memory: StateMemory
    let kind: SchedulerKind
    var slots: StateSlots { memory.slots }
    private(set) var records: [DestinationRecord] = []
    private(set) var block: ServiceBlock
    private let flags: SchedulerFlags
    private let tableSize: Int
    private let serviceSlot: UInt32
    let schedulerMemory: SchedulerMemory?

    init(_ kind: SchedulerKind, flags: SchedulerFlags = [], tableSize: Int = 0, capacity: Int = 1 << 14) {
        self.kind = kind
        self.flags = flags
        self.tableSize = tableSize
        memory = StateMemory(destinations: capacity, services: 2, provider: .heap)
        serviceSlot = memory.takeService() ?? 0
        schedulerMemory = kind.makeMemory(.heap)
        block = ServiceBlock(Self.header(kind, flags, serviceSlot), destinations: [], table: [])
        rebuild(.started)
    }

    private static func header(_ kind: SchedulerKind, _ flags: SchedulerFlags, _ slot: UInt32) -> ServiceRecord {
        let key = ServiceKey.address(transportProtocol: 6, address: IPAddress(v4: 0xcb00_7150), port: 80)
        return ServiceRecord(VirtualService(key: key, scheduler: kind, schedulerFlags: flags), slot: slot)
    }

    func rebuild(_ change: ServiceChange) {
        for (place, record) in records.enumerated() { slots.destination(record.slot).place = UInt32(place) }
        let prepared = kind.prepare(
            change, ServiceDestinations(records: records, flags: flags, tableSize: tableSize),
            slots.service(serviceSlot))
        var header = Self.header(kind, flags, serviceSlot)
        header.schedulerNumbers = prepared.numbers
        block = ServiceBlock(header, destinations: records, table: prepared.table, memory: schedulerMemory)
    }

    var reference: ServiceReference { ServiceReference(block.record) }

    /// Add a destination at the head of the list.
    func add(_ address: IPAddress, port: UInt16 = 80, weight: Int32 = 1, slot: UInt32? = nil) {
        guard let slot = slot ?? memory.takeDestination() else { return }
        let record = DestinationRecord(
            address: address, port: port, method: .masquerading, tunnelKind: .ipip, tunnelPort: 0,
            tunnelChecksum: .none, slot: slot, weight: weight, lastWeight: weight)
        records.insert(record, at: 0)
        slots.destination(slot).weight = weight
        slots.destination(slot).set(.available)
        rebuild(.added(place: 0))
    }

    func edit(_ place: Int, weight: Int32) {
        records[place].weight = weight
        if weight != 0 { records[place].lastWeight = weight }
        slots.destination(records[place].slot).weight = weight
        rebuild(.edited(place: place))
    }

    @discardableResult
    func remove(_ place: Int) -> DestinationRecord {
        let removed = records.remove(at: place)
        slots.destination(removed.slot).clear(.available)
        rebuild(.removed(place: place, removed))
        return removed
    }

    func state(_ place: Int) -> DestinationState { slots.destination(records[place].slot) }

    func setOverloaded(_ place: Int, _ isOverloaded: Bool) {
        if isOverloaded { state(place).set(.overloaded) } else { state(place).clear(.overloaded) }
    }

    /// Bring the counts of entries to these.
    func setCounts(_ place: Int, active: Int32, inactive: Int32) {
        let state = state(place)
        while state.active < active { state.bind(isTemplate: false, isActive: true) }
        while state.active > active { state.unbind(isTemplate: false, isActive: true) }
        while state.inactive < inactive { state.bind(isTemplate: false, isActive: false) }
        while state.inactive > inactive { state.unbind(isTemplate: false, isActive: false) }
    }

    func pick(_ request: ScheduleRequest) -> Int? { kind.schedule(reference, request, slots) }

    func pick(
        client: IPAddress = IPAddress(v4: 0xc633_6401), port: UInt16 = 40000,
        virtual: IPAddress = IPAddress(v4: 0xcb00_7150), now: Tick = 0, random: UInt64 = 0
    ) -> Int? {
        pick(ScheduleRequest(client: client, clientPort: port, virtual: virtual, now: now, random: random))
    }

    /// The address of a pick.
    func picked(_ place: Int?) -> IPAddress? { place.map { records[$0].address } }
}

extension IPAddress {
    /// 10.0.2.`last`.
    static func server(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0a00_0200 + last) }
}
