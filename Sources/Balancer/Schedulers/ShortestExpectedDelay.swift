/// sed: the usable destination with the least (active + 1) / weight, ties to the newest
/// (`net/netfilter/ipvs/ip_vs_sed.c`).
enum ShortestExpectedDelay: Scheduler {
    static var title: String { "Shortest expected delay" }
    static var summary: String { "the server that would have the fewest active connections for its weight" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        var best: Int?
        var (leastDelay, leastWeight) = (Int64(0), Int64(0))
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            let weight = Int64(destination.weight)
            guard weight > 0, !destination.isOverloaded else { continue }
            let delay = Int64(destination.active) &+ 1
            if best == nil || leastDelay &* weight > delay &* leastWeight {
                best = place
                (leastDelay, leastWeight) = (delay, weight)
            }
        }
        return best
    }
}
