import TestSupport
import Testing
import Wire

@testable import Balancer

/// As fo, without the servers whose active count is above (not: at) their weight.
private struct WeightedOverflowModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let usable = servers.filter { $0.isUsable && $0.active <= $0.weight }
        let highest = usable.map(\.weight).max()
        return usable.first { $0.weight == highest }
    }
}

@Suite struct WeightedOverflowTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<WeightedOverflowModel>(.ovf, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    /// BEHAVIOUR 1 (16): weight + 1 connections, then the next.
    @Test func admitsOneMoreThanTheWeight() {
        let bed = SchedulerBed(.ovf)
        bed.add(.server(1), weight: 1)
        bed.add(.server(2), weight: 2)
        var picks: [Int?] = []
        for _ in 0..<6 {
            let place = bed.pick()
            picks.append(place)
            if let place { bed.state(place).bind(isTemplate: false, isActive: true) }
        }
        #expect(picks == [0, 0, 0, 1, 1, nil])
    }
}
