/// rr: the next usable destination after the last pick, round the list, newest first
/// (`net/netfilter/ipvs/ip_vs_rr.c`).
///
/// The low half of the service's first word is the slot of the last pick plus one, 0 standing for the head of the list,
/// as it is under wrr: a worker that still has the snapshot from before a change of scheduler leaves nothing
/// unreadable.
enum RoundRobin: Scheduler {
    static var title: String { "Round robin" }
    static var summary: String { "each server in turn, whatever its weight (0: none)" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        let state = slots.service(record.slot)
        while true {
            let cursor = state.cursor
            let mark = UInt32(truncatingIfNeeded: cursor)
            let last = mark == 0 ? nil : record.place(of: mark &- 1, slots)
            var place = last.map { $0 &+ 1 } ?? 0
            var found: Int?
            for _ in 0..<record.count {
                if place >= record.count { place = 0 }
                if slots.destination(record.destination(place).slot).isUsable {
                    found = place
                    break
                }
                place &+= 1
            }
            guard let found else { return nil }
            if state.exchangeCursor(cursor, UInt64(record.destination(found).slot) &+ 1) { return found }
        }
    }

    /// A last pick that is removed hands its place to its predecessor.
    static func prepare(
        _ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState
    ) -> SchedulerPreparation {
        switch change {
        case .started:
            state.cursor = 0
        case .removed(let place, let removed):
            let successor = place == 0 ? 0 : UInt64(service.records[place - 1].slot) + 1
            _ = state.exchangeCursor(UInt64(removed.slot) + 1, successor)
        case .configured, .added, .edited:
            break
        }
        return SchedulerPreparation()
    }
}
