import TestSupport
import Testing
import Wire

@testable import Balancer

/// The first server in the list with the smallest cost.
private struct LeastConnectionModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        var best: ModelServer?
        for server in servers where server.isUsable {
            guard let least = best else {
                best = server
                continue
            }
            if least.overhead > server.overhead { best = server }
        }
        return best
    }
}

@Suite struct LeastConnectionTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<LeastConnectionModel>(.lc, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    @Test func activeConnectionsCount256Times() {
        let bed = SchedulerBed(.lc)
        bed.add(.server(1))
        bed.add(.server(2))
        bed.setCounts(0, active: 1, inactive: 0)
        bed.setCounts(1, active: 0, inactive: 255)
        #expect(bed.pick() == 1)
        bed.setCounts(1, active: 0, inactive: 256)
        #expect(bed.pick() == 0)
    }
}
