/// wrr: rounds through the list in which only destinations of at least the current weight take a turn; each round
/// lowers the current weight by the step, the greatest common divisor of the weights
/// (`net/netfilter/ipvs/ip_vs_wrr.c`).
///
/// The service's first word is (current weight << 32 | slot of the last pick + 1), 0 in the low half standing for the
/// head of the list; `schedulerNumbers` are the step and the weight of the first round. The first round's weight is the
/// largest weight less (step - 1), so that the last round's is 1 and catches every destination with a weight.
enum WeightedRoundRobin: Scheduler {
    static var title: String { "Weighted round robin" }
    static var summary: String { "in turn, each server as often as its weight says" }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        let state = slots.service(record.slot)
        guard record.schedulerNumbers.1 > 0 else { return nil }
        while true {
            let word = state.cursor
            let pick = next(record, slots, from: WeightedPosition(word))
            if state.exchangeCursor(word, pick.position.word) { return pick.place }
        }
    }

    /// The next pick and the position after it.
    private static func next(
        _ record: ServiceRecord, _ slots: StateSlots, from position: WeightedPosition
    ) -> (place: Int?, position: WeightedPosition) {
        let (step, first) = record.schedulerNumbers
        // A worker with the last snapshot may have left a weight that this one's first round lies below.
        var current = position.weight > 0 && position.weight <= first ? position.weight : first
        let isFirstRoundPartial = position.mark != 0
        let wasLastRound = current <= step
        let last = isFirstRoundPartial ? record.place(of: position.mark &- 1, slots) : nil
        if let place = find(record, slots, from: last.map { $0 &+ 1 } ?? 0, weight: current) {
            return (place, WeightedPosition(weight: current, slot: record.destination(place).slot))
        }
        let largest = largestWeight(record, slots)
        guard largest > 0 else {
            // Where the kernel stops looking: back at the last pick if it began in the middle of the last round, else
            // at the head.
            guard wasLastRound, isFirstRoundPartial else { return (nil, WeightedPosition(weight: first, mark: 0)) }
            return (nil, WeightedPosition(weight: first &- (first &- 1) / step &* step, mark: position.mark))
        }
        current = lower(current, step: step, first: first, to: largest)
        // Only a weight lowered at this very moment makes the first look fail.
        for _ in 0..<4 {
            if let place = find(record, slots, from: 0, weight: current) {
                return (place, WeightedPosition(weight: current, slot: record.destination(place).slot))
            }
            current = lower(current, step: step, first: first, to: largest)
        }
        return (nil, WeightedPosition(weight: first, mark: 0))
    }

    /// The weight of the next round in which a destination of weight `largest` has a turn: the rounds between, in which
    /// nobody has one, are stepped over at once.
    private static func lower(_ weight: Int32, step: Int32, first: Int32, to largest: Int32) -> Int32 {
        var current = weight &- step
        for _ in 0..<2 {
            if current <= 0 { current = first }
            if current <= largest { return current }
            let excess = current &- largest
            current &-= (excess &- 1) / step &* step &+ step
        }
        return current > 0 ? current : 1
    }

    private static func find(_ record: ServiceRecord, _ slots: StateSlots, from start: Int, weight: Int32) -> Int? {
        var place = start
        while place < record.count {
            let destination = slots.destination(record.destination(place).slot)
            if destination.weight >= weight, !destination.isOverloaded { return place }
            place &+= 1
        }
        return nil
    }

    private static func largestWeight(_ record: ServiceRecord, _ slots: StateSlots) -> Int32 {
        var largest: Int32 = 0
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            if destination.weight > largest, !destination.isOverloaded { largest = destination.weight }
        }
        return largest
    }

    /// Each change goes back to the head of the list and fits the current weight to the new steps
    /// (`ip_vs_wrr_dest_changed`).
    static func prepare(
        _ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState
    ) -> SchedulerPreparation {
        let weights = service.records.map(\.weight).filter { $0 > 0 }
        let step = weights.isEmpty ? 1 : GreatestCommonDivisor.of(weights)
        let first = (weights.max() ?? 0) - (step - 1)
        if case .configured = change { return SchedulerPreparation(numbers: (step, first)) }
        var current = if case .started = change { Int32(0) } else { WeightedPosition(state.cursor).weight }
        if current > first || current == 0 {
            current = first
        } else if step > 1 {
            current = current / step * step + 1
        }
        state.cursor = WeightedPosition(weight: current, mark: 0).word
        return SchedulerPreparation(numbers: (step, first))
    }
}

/// Where wrr stands.
private struct WeightedPosition {
    /// Weight of the round.
    var weight: Int32
    /// Slot of the last pick plus one; 0: the head of the list.
    var mark: UInt32

    init(weight: Int32, mark: UInt32) {
        self.weight = weight
        self.mark = mark
    }

    init(weight: Int32, slot: UInt32) { self.init(weight: weight, mark: slot &+ 1) }

    init(_ word: UInt64) {
        weight = Int32(truncatingIfNeeded: word >> 32)
        mark = UInt32(truncatingIfNeeded: word)
    }

    var word: UInt64 { UInt64(UInt32(bitPattern: weight)) << 32 | UInt64(mark) }
}
