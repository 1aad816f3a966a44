/// lblc: an address that clients speak to keeps its destination, picked as wlc does, while that is there, has a weight
/// and is not overloaded (`net/netfilter/ipvs/ip_vs_lblc.c`). For caches behind a fwmark service.
///
/// As in the kernel a remembered destination at its upper threshold is still picked.
enum LocalityBasedLeastConnection: Scheduler {
    static var title: String { "Locality-based least connection" }
    static var summary: String { "the server that the destination address had before, else as wlc" }
    static var rememberedDestinations: Int { 1 }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard let map = record.localityMap else { return WeightedLeastConnection.leastLoaded(record, slots) }
        map.sweep(now: request.now, life: request.localityLife)
        var entry = map.find(request.virtual, now: request.now, life: request.localityLife)
        if entry.count > 0, let place = entry[0].place(record, slots),
            slots.destination(record.destination(place).slot).weight > 0, !isOverloaded(place, record, slots)
        {
            return place
        }
        guard let place = WeightedLeastConnection.leastLoaded(record, slots) else { return nil }
        entry.replace(with: LocalityMember(record.destination(place)), now: request.now)
        map.store(request.virtual, entry, now: request.now)
        return place
    }

    /// Whether a destination has more active connections than its weight while another has fewer than half of its own.
    static func isOverloaded(_ place: Int, _ record: ServiceRecord, _ slots: StateSlots) -> Bool {
        let destination = slots.destination(record.destination(place).slot)
        guard destination.active > destination.weight else { return false }
        for other in 0..<record.count {
            let state = slots.destination(record.destination(other).slot)
            if Int64(state.active) &* 2 < Int64(state.weight) { return true }
        }
        return false
    }
}
