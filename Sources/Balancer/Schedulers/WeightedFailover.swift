/// fo: the usable destination with the highest weight, ties to the newest (`net/netfilter/ipvs/ip_vs_fo.c`).
enum WeightedFailover: Scheduler {
    static var title: String { "Weighted failover" }
    static var summary: String { "always the available server with the highest weight" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        var best: Int?
        var highest: Int32 = 0
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            let weight = destination.weight
            if weight > highest, !destination.isOverloaded {
                best = place
                highest = weight
            }
        }
        return best
    }
}
