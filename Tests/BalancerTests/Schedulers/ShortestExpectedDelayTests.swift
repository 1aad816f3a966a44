import TestSupport
import Testing
import Wire

@testable import Balancer

/// The first server in the list with the least (active + 1) / weight.
private struct ShortestExpectedDelayModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let usable = servers.filter(\.isUsable)
        return usable.first { server in
            usable.allSatisfy { (server.active + 1) * $0.weight <= ($0.active + 1) * server.weight }
        }
    }
}

@Suite struct ShortestExpectedDelayTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<ShortestExpectedDelayModel>(.sed, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    /// The new connection counts: the first goes to the heavier server, not to the first idle one.
    @Test func prefersTheHeavierServerWhenAllAreIdle() {
        let bed = SchedulerBed(.sed)
        bed.add(.server(1), weight: 3)
        bed.add(.server(2), weight: 1)
        #expect(bed.picked(bed.pick()) == .server(1))
    }
}
