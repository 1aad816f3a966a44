/// ovf: the usable destination with the highest weight among those with at most as many active connections as their
/// weight says, ties to the newest (`net/netfilter/ipvs/ip_vs_ovf.c`). A destination so gets one connection more than
/// its weight.
enum WeightedOverflow: Scheduler {
    static var title: String { "Weighted overflow" }
    static var summary: String {
        "the server with the highest weight until its active connections exceed it, then the next"
    }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        var best: Int?
        var highest: Int32 = 0
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            let weight = destination.weight
            if weight > highest, !destination.isOverloaded, destination.active <= weight {
                best = place
                highest = weight
            }
        }
        return best
    }
}
