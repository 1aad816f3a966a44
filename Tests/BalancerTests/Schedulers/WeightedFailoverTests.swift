import TestSupport
import Testing
import Wire

@testable import Balancer

/// The first server with the highest weight.
private struct WeightedFailoverModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let usable = servers.filter(\.isUsable)
        let highest = usable.map(\.weight).max()
        return usable.first { $0.weight == highest }
    }
}

@Suite struct WeightedFailoverTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<WeightedFailoverModel>(.fo, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    @Test func failsOverAndBack() {
        let bed = SchedulerBed(.fo)
        for (last, weight) in [(1, 1), (2, 5), (3, 5)] { bed.add(.server(UInt32(last)), weight: Int32(weight)) }
        #expect(bed.picked(bed.pick()) == .server(3))
        bed.setOverloaded(0, true)
        #expect(bed.picked(bed.pick()) == .server(2))
        bed.edit(1, weight: 0)
        #expect(bed.picked(bed.pick()) == .server(1))
        bed.setOverloaded(0, false)
        #expect(bed.picked(bed.pick()) == .server(3))
    }
}
