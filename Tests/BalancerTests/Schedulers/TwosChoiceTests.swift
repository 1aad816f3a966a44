import TestSupport
import Testing
import Wire

@testable import Balancer

/// The kernel source's rule; the two draws are the halves of the request's random number.
private struct TwosChoiceModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let usable = servers.filter(\.isUsable)
        guard !usable.isEmpty else { return nil }
        let total = UInt64(usable.reduce(0) { $0 + $1.weight })
        func drawn(_ number: UInt64) -> ModelServer? {
            var left = Int(number % (total + 1))
            return usable.first { server in
                left -= server.weight
                return left <= 0
            }
        }
        guard let first = drawn(request.random & 0xffff_ffff), let second = drawn(request.random >> 32) else {
            return nil
        }
        return second.weight * first.overhead > first.weight * second.overhead ? second : first
    }
}

@Suite struct TwosChoiceTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<TwosChoiceModel>(.twos, flags: [], seed: seed).run(steps: TestScale.count(3000))
    }

    /// Without load the first draw decides: each number of 0...6 once gives each server its weight, the newest one
    /// more.
    @Test func drawsByWeight() {
        let bed = SchedulerBed(.twos)
        for (last, weight) in [(1, 3), (2, 1), (3, 2)] { bed.add(.server(UInt32(last)), weight: Int32(weight)) }
        let picks = (0...6 as ClosedRange<UInt64>).map { bed.pick(random: $0) }
        #expect(picks == [0, 0, 0, 1, 2, 2, 2])
    }

    @Test func theLessLoadedOfTwoIsTaken() {
        let bed = SchedulerBed(.twos)
        bed.add(.server(1))
        bed.add(.server(2))
        bed.setCounts(0, active: 3, inactive: 0)
        bed.setCounts(1, active: 2, inactive: 0)
        #expect(bed.pick(random: 2 << 32 | 1) == 1)
        #expect(bed.pick(random: 1 << 32 | 2) == 1)
        #expect(bed.pick(random: 1 << 32 | 1) == 0)
    }
}
