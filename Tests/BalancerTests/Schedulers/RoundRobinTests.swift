import Foundation
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Balancer

/// Walk on from the last pick; a removed last pick hands its place to the one before it.
private struct RoundRobinModel: SchedulerModel {
    private var last: ModelServer?
    private var before: [ModelServer] = []

    init(flags: SchedulerFlags) {}

    mutating func changed(_ servers: [ModelServer], _ change: ModelChange) {
        if case .removed(let server) = change, server === last, let place = before.firstIndex(where: { $0 === server })
        {
            last = place == 0 ? nil : before[place - 1]
        }
        before = servers
    }

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let start = servers.firstIndex { $0 === last }.map { $0 + 1 } ?? 0
        guard let found = (servers[start...] + servers[..<start]).first(where: \.isUsable) else { return nil }
        last = found
        return found
    }
}

@Suite struct RoundRobinTests {
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<RoundRobinModel>(.rr, flags: [], seed: seed).run(steps: TestScale.count(4000))
    }

    @Test func beginsWithTheNewest() {
        let bed = SchedulerBed(.rr)
        for last in 1...3 { bed.add(.server(UInt32(last))) }
        #expect((0..<4).map { _ in bed.picked(bed.pick()) } == [.server(3), .server(2), .server(1), .server(3)])
    }

    @Test func neverStarves() {
        let bed = SchedulerBed(.rr)
        for last in 1...7 { bed.add(.server(UInt32(last)), weight: Int32(last)) }
        var lastSeen = [Int](repeating: -1, count: 7)
        for turn in 0..<700 {
            guard let place = bed.pick() else {
                Issue.record("no destination at turn \(turn)")
                return
            }
            #expect(turn - lastSeen[place] <= 7 || lastSeen[place] < 0)
            lastSeen[place] = turn
        }
        #expect(lastSeen.allSatisfy { $0 >= 693 })
    }

    @Test func noUsableDestinationGivesNone() {
        let bed = SchedulerBed(.rr)
        #expect(bed.pick() == nil)
        bed.add(.server(1), weight: 0)
        #expect(bed.pick() == nil)
        bed.add(.server(2))
        bed.setOverloaded(0, true)
        #expect(bed.pick() == nil)
    }

    /// Each turn is taken by exactly one of the workers, so that together they stay in step.
    @Test func workersShareTheTurns() {
        let bed = SchedulerBed(.rr)
        for last in 1...5 { bed.add(.server(UInt32(last))) }
        let counts = picksOfWorkers(bed, workers: 2, picksEach: 20_000)
        #expect(counts == [8000, 8000, 8000, 8000, 8000])
    }

    /// Words that another scheduler left, as a worker with an old snapshot may, lead to no trap.
    @Test func anotherSchedulersWordIsReadable() {
        let bed = SchedulerBed(.rr)
        for last in 1...3 { bed.add(.server(UInt32(last))) }
        bed.slots.service(0).cursor = 5 << 32
        #expect(bed.pick() == 0)
        bed.slots.service(0).cursor = 5 << 32 | 1
        #expect(bed.picked(bed.pick()) == .server(3))
    }
}

/// How often each place was picked by so many workers at once.
func picksOfWorkers(_ bed: SchedulerBed, workers: Int, picksEach: Int) -> [Int] {
    let kind = bed.kind
    let slots = bed.slots
    let reference = UncheckedBox(bed.reference)
    let count = bed.records.count
    let totals = Mutex([Int](repeating: 0, count: count))
    let group = DispatchGroup()
    for worker in 0..<workers {
        DispatchQueue.global().async(group: group) {
            var random = SeededRandom(seed: UInt64(worker))
            var counts = [Int](repeating: 0, count: count)
            for _ in 0..<picksEach {
                let request = ScheduleRequest(
                    client: random.address(.v4), clientPort: 1,
                    virtual: IPAddress(v4: 0xcb00_7100 + UInt32.random(in: 0..<64, using: &random)), now: 1,
                    random: random.next())
                if let place = kind.schedule(reference.value, request, slots) { counts[place] += 1 }
            }
            totals.withLock { totals in for place in 0..<count { totals[place] += counts[place] } }
        }
    }
    #expect(group.wait(timeout: .now() + 60) == .success)
    return totals.withLock { $0 }
}

/// Carries a reference into memory that the test keeps alive to other threads.
private struct UncheckedBox: @unchecked Sendable {
    let value: ServiceReference
    init(_ value: ServiceReference) { self.value = value }
}
