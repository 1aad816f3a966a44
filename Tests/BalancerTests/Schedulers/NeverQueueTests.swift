import TestSupport
import Testing
import Wire

@testable import Balancer

/// The first usable server without an active connection, else as sed.
private struct NeverQueueModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let usable = servers.filter(\.isUsable)
        if let idle = usable.first(where: { $0.active == 0 }) { return idle }
        return usable.first { server in
            usable.allSatisfy { (server.active + 1) * $0.weight <= ($0.active + 1) * server.weight }
        }
    }
}

@Suite struct NeverQueueTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<NeverQueueModel>(.nq, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    /// An idle server goes first, though sed would choose the heavier one.
    @Test func idleServerGoesFirst() {
        let bed = SchedulerBed(.nq)
        bed.add(.server(1), weight: 10)
        bed.add(.server(2), weight: 1)
        bed.setCounts(1, active: 1, inactive: 0)
        #expect(bed.picked(bed.pick()) == .server(2))
        bed.setCounts(0, active: 1, inactive: 0)
        #expect(bed.picked(bed.pick()) == .server(1))
    }
}
