/// wlc: the usable destination with the fewest connections for its weight, ties to the newest
/// (`net/netfilter/ipvs/ip_vs_wlc.c`). ipvsadm's default.
enum WeightedLeastConnection: Scheduler {
    static var title: String { "Weighted least connection" }
    static var summary: String { "the server with the fewest connections for its weight (the default)" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        leastLoaded(service.record, slots)
    }

    /// The pick of wlc; lblc and lblcr begin with it.
    ///
    /// Loads are compared as products, a/v > b/w as a*w > b*v. A destination quiesced after the first look has weight 0
    /// and so never wins.
    static func leastLoaded(_ record: ServiceRecord, _ slots: StateSlots) -> Int? {
        var best: Int?
        var (leastOverhead, leastWeight) = (Int64(0), Int64(0))
        for place in 0..<record.count {
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
}
