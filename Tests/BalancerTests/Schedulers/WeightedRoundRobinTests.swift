import TestSupport
import Testing
import Wire

@testable import Balancer

/// The kernel's walk (`ip_vs_wrr.c`) round by round, with its conditions for giving up.
private struct WeightedRoundRobinModel: SchedulerModel {
    private var position: ModelServer?
    private var current = 0
    private var step = 1
    private var first = 0

    init(flags: SchedulerFlags) {}

    mutating func changed(_ servers: [ModelServer], _ change: ModelChange) {
        position = nil
        step = 1
        let positive = servers.map(\.weight).filter { $0 > 0 }
        if let least = positive.min() {
            step = (1...least).last { divisor in positive.allSatisfy { $0 % divisor == 0 } } ?? 1
        }
        first = (positive.max() ?? 0) - (step - 1)
        if current > first || current == 0 {
            current = first
        } else if step > 1 {
            current = current / step * step + 1
        }
    }

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        guard first != 0 else { return nil }
        let last = servers.firstIndex { $0 === position }
        var stop: Int?
        var isLastRound = false
        var isRestarted = false
        var start = last.map { $0 + 1 } ?? 0
        while true {
            for place in start..<max(servers.count, start) {
                if !servers[place].isOverloaded, servers[place].weight >= current {
                    position = servers[place]
                    return servers[place]
                }
                if place == stop {
                    position = servers[place]
                    return nil
                }
            }
            start = 0
            current -= step
            if current <= 0 {
                current = first
                if isLastRound || last == nil {
                    position = nil
                    return nil
                }
                isRestarted = true
            }
            isLastRound = current <= step
            if isLastRound, isRestarted { stop = last }
        }
    }
}

@Suite struct WeightedRoundRobinTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<WeightedRoundRobinModel>(.wrr, flags: [], seed: seed).run(steps: TestScale.count(4000))
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func largeWeightsToo(seed: UInt64) {
        ModelComparison<WeightedRoundRobinModel>(.wrr, flags: [], seed: seed)
            .run(steps: TestScale.count(2000), largestWeight: 3000, largestList: 5)
    }

    /// BEHAVIOUR 1 (2): weights 3, 2, 1 added in this order.
    @Test func startsLow() {
        let bed = SchedulerBed(.wrr)
        for (last, weight) in [(1, 3), (2, 2), (3, 1)] { bed.add(.server(UInt32(last)), weight: Int32(weight)) }
        #expect((0..<6).map { _ in bed.picked(bed.pick()) } == [3, 2, 1, 1, 2, 1].map { IPAddress.server($0) })
    }

    @Test func sharesAreTheWeights() {
        let bed = SchedulerBed(.wrr)
        let weights: [Int32] = [7, 3, 0, 5, 1]
        for (index, weight) in weights.enumerated() { bed.add(.server(UInt32(index + 1)), weight: weight) }
        var counts: [IPAddress: Int] = [:]
        for _ in 0..<1600 { if let address = bed.picked(bed.pick()) { counts[address, default: 0] += 1 } }
        #expect(counts == [.server(1): 700, .server(2): 300, .server(4): 500, .server(5): 100])
    }

    /// Two workers together keep the shares exact.
    @Test func workersShareTheTurns() {
        let bed = SchedulerBed(.wrr)
        for (last, weight) in [(1, 3), (2, 2), (3, 1)] { bed.add(.server(UInt32(last)), weight: Int32(weight)) }
        #expect(picksOfWorkers(bed, workers: 2, picksEach: 15_000) == [5000, 10_000, 15_000])
    }

    /// A change of the service that leaves its destinations alone leaves the position alone.
    @Test func configuringKeepsThePosition() {
        let bed = SchedulerBed(.wrr)
        for (last, weight) in [(1, 3), (2, 2), (3, 1)] { bed.add(.server(UInt32(last)), weight: Int32(weight)) }
        _ = bed.pick()
        bed.rebuild(.configured)
        #expect(bed.picked(bed.pick()) == .server(2))
    }

    /// With the one heavy server at its threshold the rounds that nobody can take part in cost nothing.
    @Test func emptyRoundsAreSteppedOver() {
        let bed = SchedulerBed(.wrr)
        bed.add(.server(1), weight: 2_147_483_647)
        bed.add(.server(2), weight: 1)
        bed.setOverloaded(1, true)
        #expect((0..<50).allSatisfy { _ in bed.pick() == 0 })
    }
}
