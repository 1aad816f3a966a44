/// nq: the first usable destination, newest first, without an active connection; if there is none, as sed
/// (`net/netfilter/ipvs/ip_vs_nq.c`).
enum NeverQueue: Scheduler {
    static var title: String { "Never queue" }
    static var summary: String { "an idle server if there is one, else as sed" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            if destination.isUsable, destination.active == 0 { return place }
        }
        return ShortestExpectedDelay.schedule(service, request, slots)
    }
}
