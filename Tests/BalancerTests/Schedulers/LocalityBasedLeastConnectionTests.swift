import TestSupport
import Testing
import Wire

@testable import Balancer

/// A dictionary of addresses; wlc picks for those that have no server, or none that serves.
private struct LocalityModel: SchedulerModel {
    private var remembered: [IPAddress: (server: ModelServer, used: Tick)] = [:]

    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        if let entry = remembered[request.virtual], request.now - entry.used < 250 * 86400 {
            remembered[request.virtual]?.used = request.now
            let server = entry.server
            if servers.contains(where: { $0 === server }), server.weight > 0, !isOverworked(server, servers) {
                return server
            }
        }
        guard let server = leastLoadedModel(servers) else { return nil }
        remembered[request.virtual] = (server, request.now)
        return server
    }
}

/// More active connections than its weight, while another has fewer than half of its own.
func isOverworked(_ server: ModelServer, _ servers: [ModelServer]) -> Bool {
    server.active > server.weight && servers.contains { $0.active * 2 < $0.weight }
}

/// The pick of wlc.
func leastLoadedModel(_ servers: [ModelServer]) -> ModelServer? {
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

@Suite struct LocalityBasedLeastConnectionTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<LocalityModel>(.lblc, flags: [], seed: seed).run(steps: TestScale.count(4000))
    }

    /// With hours between picks entries are forgotten.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func picksWhatTheModelPicksOverDays(seed: UInt64) {
        ModelComparison<LocalityModel>(.lblc, flags: [], seed: seed).run(
            steps: TestScale.count(4000), longestPause: 1_200_000)
    }

    /// As `ip_vs_lblc_schedule`: the threshold is not asked of a remembered server.
    @Test func aRememberedServerAtItsThresholdIsKept() {
        let bed = SchedulerBed(.lblc)
        bed.add(.server(1))
        bed.add(.server(2))
        #expect(bed.pick() == 0)
        bed.setOverloaded(0, true)
        #expect(bed.pick() == 0)
        #expect(bed.pick(virtual: .server(99)) == 1)
    }

    /// A server deleted and added again as the same object has its addresses back; another in its slot has not.
    @Test func aRevivedServerHasItsAddressesBack() {
        let bed = SchedulerBed(.lblc)
        for last in 1...3 { bed.add(.server(UInt32(last))) }
        bed.setCounts(0, active: 0, inactive: 1)
        bed.setCounts(1, active: 0, inactive: 2)
        #expect(bed.picked(bed.pick()) == .server(1))
        let removed = bed.remove(2)
        bed.add(.server(1), slot: removed.slot)
        bed.setCounts(0, active: 0, inactive: 9)
        #expect(bed.picked(bed.pick()) == .server(1))
        bed.remove(0)
        bed.add(.server(4), slot: removed.slot)
        bed.setCounts(0, active: 0, inactive: 9)
        #expect(bed.picked(bed.pick()) == .server(3))
    }

    @Test func workersPickAtOnce() {
        let bed = SchedulerBed(.lblc)
        for last in 1...4 { bed.add(.server(UInt32(last))) }
        #expect(picksOfWorkers(bed, workers: 2, picksEach: 20_000).reduce(0, +) == 40_000)
    }
}
