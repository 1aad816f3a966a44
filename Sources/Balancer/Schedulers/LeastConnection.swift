/// lc: the usable destination with the fewest connections, ties to the newest (`net/netfilter/ipvs/ip_vs_lc.c`).
enum LeastConnection: Scheduler {
    static var title: String { "Least connection" }
    static var summary: String { "the server with the fewest connections, active ones counting 256 times" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        var best: Int?
        var least = Int64.max
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            guard destination.isUsable else { continue }
            let overhead = destination.overhead
            if overhead < least {
                best = place
                least = overhead
            }
        }
        return best
    }
}

extension DestinationState {
    /// The load of a destination: active entries count 256 times (`include/net/ip_vs.h`, `ip_vs_dest_conn_overhead`).
    var overhead: Int64 { Int64(active) &* 256 &+ Int64(inactive) }
}
