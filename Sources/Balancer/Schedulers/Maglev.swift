import Wire

/// maglev, beyond the kernel: a Maglev table (NSDI 2016) of a size that the service chooses, looked up by the client's
/// address, with `flag-2` and its port.
///
/// Unlike mh it has the paper's 65537 places unless told otherwise, shares follow the weights to within a few places,
/// and the table depends on the set of destinations alone: directors that learnt them in another order agree. As in mh
/// a quiesced destination keeps its places; a client whose place is unusable goes on to another, always.
enum Maglev: Scheduler {
    static var title: String { "Maglev" }
    static var summary: String {
        "as mh with 251 to 131071 places, 65537 unless chosen, always falling back (flag-2: with the client's port)"
    }
    static var isBeyondKernel: Bool { true }
    static var flags: SchedulerFlags { .port }
    static var isTableOfPlaces: Bool { true }

    /// Primes: those of the kernel's mh and the paper's.
    static var tableSizes: [Int] { [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 65537, 131_071] }
    /// The paper's small table.
    static var defaultTableSize: Int { 65537 }
    /// Places tried for a client whose own is unusable, before the list is searched.
    static var furtherPlaces: Int { 32 }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard record.tableCount != 0 else { return nil }
        var hash = Mixing.client(request, SchedulerFlags(rawValue: record.schedulerFlags))
        for _ in 0...furtherPlaces {
            let place = Int(record.tableValue(Mixing.below(record.tableCount, hash)))
            if slots.destination(record.destination(place).slot).isUsable { return place }
            hash = Mixing.mix(hash)
        }
        var place = Int(record.tableValue(Mixing.below(record.tableCount, hash)))
        for _ in 0..<record.count {
            if slots.destination(record.destination(place).slot).isUsable { return place }
            place = place &+ 1 == record.count ? 0 : place &+ 1
        }
        return nil
    }

    static func table(_ service: ServiceDestinations) -> [UInt32] {
        let size = tableSizes.contains(service.tableSize) ? service.tableSize : defaultTableSize
        let owners = service.records.indices.filter { service.records[$0].lastWeight > 0 }.sorted { left, right in
            let (left, right) = (service.records[left], service.records[right])
            return (left.address, left.port) < (right.address, right.port)
        }
        let permutations = owners.map { owner in
            let hash = Mixing.hash(service.records[owner].address, service.records[owner].port)
            return MaglevPermutation(
                first: Int(hash % UInt64(size)), step: Int(Mixing.mix(hash) % UInt64(size - 1)) + 1)
        }
        let weights = owners.map { Int(service.records[$0].lastWeight) }
        return MaglevTable.fill(size: size, permutations, weights: weights).map { UInt32(owners[Int($0)]) }
    }
}
