/// twos: two draws by weight, of which the one with the smaller load for its weight is taken
/// (`net/netfilter/ipvs/ip_vs_twos.c`; no recording shows it, the recorded kernel was built without).
///
/// As in the kernel each draw is uniform over 0...sum of weights, both ends included, which favours the newest
/// destination by one part of the sum. The kernel's random numbers are the two halves of `ScheduleRequest.random`.
enum TwosChoice: Scheduler {
    static var title: String { "Twos choice" }
    static var summary: String { "of two servers drawn by weight, the one with fewer connections for its weight" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        var total: Int64 = 0
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            if destination.isUsable { total &+= Int64(destination.weight) }
        }
        guard total > 0 else { return nil }
        let bound = UInt64(total) &+ 1
        var first = Draw(Int64((request.random & 0xffff_ffff) % bound))
        var second = Draw(Int64((request.random >> 32) % bound))
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            guard destination.isUsable else { continue }
            first.pass(place, destination)
            second.pass(place, destination)
        }
        guard let place = first.place else { return second.place }
        return second.place != nil && first.overhead &* second.weight > second.overhead &* first.weight
            ? second.place : place
    }
}

/// A draw on its way down the list: it stops at the destination whose weight uses up what is left of the number.
private struct Draw {
    var place: Int?
    var weight: Int64 = 0
    var overhead: Int64 = 0
    private var left: Int64

    init(_ number: Int64) { left = number }

    mutating func pass(_ candidate: Int, _ destination: DestinationState) {
        guard place == nil else { return }
        weight = Int64(destination.weight)
        left &-= weight
        guard left <= 0 else { return }
        place = candidate
        overhead = destination.overhead
    }
}
