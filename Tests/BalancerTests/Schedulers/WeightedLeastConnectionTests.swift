import TestSupport
import Testing
import Wire

@testable import Balancer

/// The first server in the list with the smallest cost for its weight, as a fraction.
private struct WeightedLeastConnectionModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        var best: ModelServer?
        for server in servers where server.isUsable {
            guard let least = best else {
                best = server
                continue
            }
            if least.overhead * server.weight > server.overhead * least.weight { best = server }
        }
        return best
    }
}

@Suite struct WeightedLeastConnectionTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<WeightedLeastConnectionModel>(.wlc, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    /// Connections that stay spread as the weights say.
    @Test func sharesConvergeToTheWeights() {
        let bed = SchedulerBed(.wlc)
        let weights: [Int32] = [1, 2, 5, 8]
        for (index, weight) in weights.enumerated() { bed.add(.server(UInt32(index + 1)), weight: weight) }
        for _ in 0..<1600 { if let place = bed.pick() { bed.state(place).bind(isTemplate: false, isActive: true) } }
        #expect((0..<4).map { bed.state($0).active } == [800, 500, 200, 100])
    }
}
