/// lblcr: an address that clients speak to has a set of destinations, of which the least loaded is picked; when that is
/// overloaded, the pick of wlc joins the set, and a set of several that did not change for a day loses its most loaded
/// member (`net/netfilter/ipvs/ip_vs_lblcr.c`).
///
/// A set holds 21 destinations; the kernel's has no limit. A member that is no longer of the service leaves first; the
/// kernel compares its last counts.
enum LocalityBasedLeastConnectionWithReplication: Scheduler {
    static var title: String { "Locality-based least connection with replication" }
    static var summary: String { "as lblc, with several servers for an address whose servers are overloaded" }
    static var rememberedDestinations: Int { LocalityEntry.capacity }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard let map = record.localityMap else { return WeightedLeastConnection.leastLoaded(record, slots) }
        map.sweep(now: request.now, life: request.localityLife)
        var entry = map.find(request.virtual, now: request.now, life: request.localityLife)
        let least = leastLoaded(entry, record, slots)
        var isChanged = false
        if entry.count > 1, Ticks.isBefore(entry.lastChange &+ request.localityLife, request.now) {
            isChanged = removeMostLoaded(&entry, record, slots, request.now)
        }
        if let least, !LocalityBasedLeastConnection.isOverloaded(least, record, slots) {
            if isChanged { map.store(request.virtual, entry, now: request.now) }
            return least
        }
        let place = WeightedLeastConnection.leastLoaded(record, slots)
        if let place {
            if entry.count == map.members { _ = removeMostLoaded(&entry, record, slots, request.now) }
            entry.insert(LocalityMember(record.destination(place)), now: request.now)
            isChanged = true
        }
        if isChanged { map.store(request.virtual, entry, now: request.now) }
        return place
    }

    /// The place of the least loaded usable member.
    private static func leastLoaded(_ entry: LocalityEntry, _ record: ServiceRecord, _ slots: StateSlots) -> Int? {
        var best: Int?
        var (leastOverhead, leastWeight) = (Int64(0), Int64(0))
        for index in 0..<entry.count {
            guard let place = entry[index].place(record, slots) else { continue }
            let destination = slots.destination(record.destination(place).slot)
            let weight = Int64(destination.weight)
            guard weight > 0, !destination.isOverloaded else { continue }
            let overhead = destination.overhead
            if best == nil || leastOverhead &* weight > overhead &* leastWeight {
                best = place
                (leastOverhead, leastWeight) = (overhead, weight)
            }
        }
        return best
    }

    /// Take out the most loaded member with a weight; whether there was one.
    private static func removeMostLoaded(
        _ entry: inout LocalityEntry, _ record: ServiceRecord, _ slots: StateSlots, _ now: Tick
    ) -> Bool {
        var most: Int?
        var (mostOverhead, mostWeight) = (Int64(0), Int64(0))
        for index in 0..<entry.count {
            guard let place = entry[index].place(record, slots) else {
                entry.remove(at: index, now: now)
                return true
            }
            let destination = slots.destination(record.destination(place).slot)
            let weight = Int64(destination.weight)
            guard weight > 0 else { continue }
            let overhead = destination.overhead
            if most == nil || mostOverhead &* weight < overhead &* mostWeight {
                most = index
                (mostOverhead, mostWeight) = (overhead, weight)
            }
        }
        guard let most else { return false }
        entry.remove(at: most, now: now)
        return true
    }
}
