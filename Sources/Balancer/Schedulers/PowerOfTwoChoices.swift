/// p2c, beyond the kernel: two different destinations drawn by weight, of which the one with the smaller live load for
/// its weight is taken (Mitzenmacher, Richa, Sitaraman, "The Power of Two Random Choices", 2001).
///
/// Unlike twos a pick costs the same at 3 and at 10,000 destinations: a draw is one look into an alias table (Vose, "A
/// Linear Algorithm for Generating Random Numbers with a Given Distribution", 1991). The randomness is the request's,
/// so that a seeded worker repeats itself.
enum PowerOfTwoChoices: Scheduler {
    static var title: String { "Power of two choices" }
    static var summary: String {
        "as twos, at the same cost for any number of servers, and never the same server twice"
    }
    static var isBeyondKernel: Bool { true }

    /// Draws until a usable destination turns up, before the list is searched.
    static var firstDraws: Int { 8 }
    /// Draws for another one to compare it with.
    static var secondDraws: Int { 4 }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard record.tableCount != 0 else { return nil }
        var random = request.random
        var first: Int?
        for _ in 0..<firstDraws {
            random = Mixing.mix(random)
            let place = draw(record, random)
            if slots.destination(record.destination(place).slot).isUsable {
                first = place
                break
            }
        }
        guard let first = first ?? search(record, slots, from: Mixing.below(record.count, random)) else { return nil }
        for _ in 0..<secondDraws {
            random = Mixing.mix(random)
            let second = draw(record, random)
            let other = slots.destination(record.destination(second).slot)
            guard second != first, other.isUsable else { continue }
            let one = slots.destination(record.destination(first).slot)
            return one.overhead &* Int64(other.weight) > other.overhead &* Int64(one.weight) ? second : first
        }
        return first
    }

    /// The top half of `random` chooses a column of the alias table, the low half one of its two destinations.
    private static func draw(_ record: ServiceRecord, _ random: UInt64) -> Int {
        let column = Mixing.below(record.count, random)
        let isOwn = UInt32(truncatingIfNeeded: random) < record.tableValue(column &* 2)
        return isOwn ? column : Int(record.tableValue(column &* 2 &+ 1))
    }

    private static func search(_ record: ServiceRecord, _ slots: StateSlots, from start: Int) -> Int? {
        var place = start
        for _ in 0..<record.count {
            if slots.destination(record.destination(place).slot).isUsable { return place }
            place = place &+ 1 == record.count ? 0 : place &+ 1
        }
        return nil
    }

    /// The alias table: for each place the share of its column that is its own, in parts of 2^32, and the place that
    /// the rest belongs to.
    static func table(_ service: ServiceDestinations) -> [UInt32] {
        let count = service.records.count
        let weights = service.records.map { UInt64(max($0.weight, 0)) }
        let sum = weights.reduce(0, +)
        guard sum > 0 else { return [] }
        var table = (0..<count).flatMap { [UInt32.max, UInt32($0)] }
        var left = weights.map { $0 * UInt64(count) }
        var poor = left.indices.filter { left[$0] < sum }
        var rich = left.indices.filter { left[$0] >= sum }
        while let donor = rich.last, let column = poor.popLast() {
            table[column * 2] = UInt32(
                truncatingIfNeeded: sum.dividingFullWidth((left[column] >> 32, left[column] << 32)).quotient)
            table[column * 2 + 1] = UInt32(donor)
            left[donor] -= sum - left[column]
            if left[donor] < sum { poor.append(rich.removeLast()) }
        }
        return table
    }
}
