import Wire

/// mh: the kernel's Maglev table of 4093 places, looked up by the client's address and, with `mh-port`, its port
/// (`net/netfilter/ipvs/ip_vs_mh.c`).
///
/// A destination's share follows its last weight that was not 0, so that quiescing one moves no other's places. A place
/// whose destination is unusable gives no destination; with `mh-fallback` the hash is repeated with an offset.
enum MaglevHashing: Scheduler {
    static var title: String { "Maglev hashing" }
    static var summary: String {
        "by a consistent hash of the client's address (mh-port: and port; mh-fallback: another if it is down)"
    }
    static var flags: SchedulerFlags { [.fallback, .port] }
    static var isTableOfPlaces: Bool { true }

    /// Places of the table (`CONFIG_IP_VS_MH_TAB_INDEX` 12).
    static var places: UInt32 { 4093 }
    /// Key of the hash of clients and of a permutation's first place.
    static var placeKey: UInt64 { 2_654_435_761 }
    /// Key of the hash of a permutation's step.
    static var stepKey: UInt64 { 2_654_446_892 }
    /// Most turns a round, as bits: larger weights are shifted down (`IP_VS_MH_TAB_BITS`).
    static var turnBits: Int { 6 }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard record.tableCount != 0 else { return nil }
        let flags = SchedulerFlags(rawValue: record.schedulerFlags)
        let key = request.client.folded &+ (flags.contains(.port) ? UInt32(request.clientPort) : 0)
        let home = SipHash13.hash(key, key: placeKey) % places
        let place = Int(record.tableValue(Int(home)))
        if slots.destination(record.destination(place).slot).isUsable { return place }
        guard flags.contains(.fallback) else { return nil }
        for offset in 0..<places {
            let index = SipHash13.hash(key &+ (offset &+ home) % places, key: placeKey) % places
            let other = Int(record.tableValue(Int(index)))
            if slots.destination(record.destination(other).slot).isUsable { return other }
        }
        return nil
    }

    static func table(_ service: ServiceDestinations) -> [UInt32] {
        let weights = service.records.map(\.lastWeight).filter { $0 > 0 }
        guard let largest = weights.max() else { return [] }
        let divisor = GreatestCommonDivisor.of(weights)
        let shift = max(0, Int32.bitWidth - (largest / divisor).leadingZeroBitCount - turnBits)
        let turns = service.records.map { record in
            let turns = Int(record.lastWeight / divisor) >> shift
            return turns > 0 ? turns : record.lastWeight > 0 ? 1 : 0
        }
        let permutations = service.records.map { record in
            let key = record.address.folded &+ UInt32(record.port)
            return MaglevPermutation(
                first: Int(SipHash13.hash(key, key: placeKey) % places),
                step: Int(SipHash13.hash(key, key: stepKey) % (places - 1)) + 1)
        }
        return MaglevTable.fill(size: Int(places), permutations, turnsEachRound: turns)
    }
}
