import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ExpiryTests {
    /// Ticks of one slot of the wheel: an entry ends at most so much late.
    private static let slot: Tick = 8

    @Test(arguments: [0, 1000, Tick.max - 100, Tick.max - 20_000, (1 << 31) - 50] as [Tick])
    func entriesEndWhenTheirTimeIsUp(start: Tick) throws {
        let bed = OneWorkerTable(now: start)
        let timeouts: [Tick] = [0, 1, 7, 8, 250, 750, 16_383, 16_384, 16_400, 40_000, 75_000]
        var waiting: [UInt32: Tick] = [:]
        for (number, timeout) in timeouts.enumerated() {
            waiting[try #require(bed.add(.numbered(number), timeout: timeout)).index] = timeout
        }
        for elapsed in stride(from: Tick(0), through: 75_020, by: 4) {
            for index in bed.batch(at: start &+ elapsed) {
                let known = waiting.removeValue(forKey: index)
                let timeout = try #require(known)
                #expect(elapsed >= timeout && elapsed < timeout + Self.slot + 4)
            }
        }
        #expect(waiting.isEmpty && bed.table.count == 0)
    }

    @Test func theClockMayJump() throws {
        let bed = OneWorkerTable()
        for number in 0..<10 { _ = try #require(bed.add(.numbered(number), timeout: Tick(number) * 20_000)) }
        #expect(bed.batch(at: 100_000).count == 6)
        #expect(bed.batch(at: 10_000_000).count == 4)
        #expect(bed.table.count == 0)
    }

    /// Entries that end long after the wheel's round must not keep it from those that end sooner.
    @Test func longTimeoutsDoNotHoldUpShortOnes() throws {
        let bed = OneWorkerTable(entries: 256)
        for number in 0..<100 { _ = try #require(bed.add(.numbered(number), timeout: 225_000)) }
        for tick in stride(from: Tick(0), to: 50_000, by: 100) {
            bed.batch(at: tick)
            #expect(!bed.isBehind(at: tick) || tick % 16_384 < 1000)
        }
        let short = try #require(bed.add(.numbered(200), timeout: 250))
        #expect(bed.batch(at: bed.now + 250 + 2 * Self.slot) == [short.index])
        #expect(bed.table.count == 100)
    }

    /// What was armed first ends first.
    @Test func deadlinesComeInOrder() throws {
        let bed = OneWorkerTable(entries: 2048)
        var random = SeededRandom(seed: 5)
        var deadlines: [UInt32: Tick] = [:]
        for number in 0..<2000 {
            let timeout = Tick.random(in: 0..<30_000, using: &random)
            deadlines[try #require(bed.add(.numbered(number), timeout: timeout)).index] = timeout
        }
        var last: Tick = 0
        var ended = 0
        for tick in stride(from: Tick(0), through: 30_100, by: 1) {
            for index in bed.batch(at: tick) {
                let slot = try #require(deadlines[index]) / Self.slot
                #expect(slot >= last)
                last = slot
                ended += 1
            }
        }
        #expect(ended == 2000)
    }

    /// A packet that only moves the deadline on costs the wheel nothing until the slot comes round.
    @Test func deadlinesAreExtendedLazily() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1), timeout: 1000))
        let armed = entry.armed
        for tick in stride(from: Tick(0), to: 5000, by: 100) {
            entry.deadline = tick &+ 1000
            bed.expiry.deadlineChanged(entry)
            if tick < 1000 { #expect(entry.armed == armed) }
            #expect(bed.batch(at: tick).isEmpty)
        }
        #expect(bed.batch(at: 4900 + 999).isEmpty)
        #expect(bed.batch(at: 4900 + 1000 + Self.slot) == [entry.index])
    }

    /// A connection that closes ends after its short timeout, not when its old slot comes round.
    @Test func deadlinesAreShortenedAtOnce() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1), timeout: 225_000))
        bed.batch(at: 10)
        entry.deadline = 10 + 2500
        bed.expiry.deadlineChanged(entry)
        #expect(bed.batch(at: 2509).isEmpty)
        #expect(bed.batch(at: 2510 + Self.slot) == [entry.index])
    }

    @Test func aBatchLooksAtSoManyAndNoMore() throws {
        let bed = OneWorkerTable(entries: 1024)
        for number in 0..<1000 { _ = try #require(bed.add(.numbered(number), timeout: 100)) }
        var ended = 0
        var batches = 0
        while ended < 1000, batches < 100 {
            let count = bed.batch(at: 200).count
            #expect(count <= Expiry.bound)
            ended += count
            batches += 1
            #expect(bed.isBehind(at: 200) == (ended < 1000))
        }
        #expect(batches == 16)
        #expect(!bed.isBehind(at: 200))
    }

    /// Entries that live on are looked at within the same bound.
    @Test func entriesThatLiveOnCountTowardsTheBound() throws {
        let bed = OneWorkerTable(entries: 256)
        for number in 0..<200 {
            let entry = try #require(bed.add(.numbered(number), timeout: 100))
            entry.deadline = 5000
        }
        #expect(bed.batch(at: 200).isEmpty && bed.isBehind(at: 200))
        for _ in 0..<3 { #expect(bed.batch(at: 200).isEmpty) }
        #expect(!bed.isBehind(at: 200))
        var ended = 0
        for _ in 0..<4 { ended += bed.batch(at: 5000 + Self.slot).count }
        #expect(ended == 200)
    }

    /// A million entries due at one tick, a batch each 120 µs: all gone within two seconds of virtual time.
    @Test func aMillionDueAtOnceAreGoneInTwoSeconds() throws {
        let count = TestScale.count(debug: 200_000, release: 1_000_000)
        let bed = OneWorkerTable(entries: count)
        for number in 0..<count {
            let entry = try #require(bed.make(.numbered(number), timeout: 1000))
            bed.expiry.arm(entry)
        }
        let due: UInt64 = 1000 * 4000
        // The share of two seconds that so many entries have.
        let limit = due + 2_000_000 * UInt64(count) / 1_000_000 + UInt64(Self.slot) * 4000
        var clock = due - 5000
        var ended = 0
        while ended < count, clock <= limit {
            let now = Tick(clock / 4000)
            bed.expiry.reclaim(epoch: bed.participant.quiesce())
            var budget = bed.expiry.begin()
            var looked = 0
            while let entry = bed.expiry.next(now: now, budget: &budget) {
                bed.expiry.discard(entry)
                looked += 1
            }
            if looked > Expiry.bound { Issue.record("\(looked) in one batch") }
            if looked > 0, clock < due { Issue.record("too early") }
            ended += looked
            clock += 120
        }
        #expect(ended == count)
        bed.pass()
        #expect(bed.make(.numbered(1)) != nil)
    }

    @Test func anEntryMayBeKept() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1), timeout: 100))
        var kept = 0
        for tick in Tick(0)...2000 {
            var budget = bed.expiry.begin()
            while let due = bed.expiry.next(now: tick, budget: &budget) {
                #expect(due.index == entry.index)
                due.deadline = tick &+ 500
                bed.expiry.keep(due)
                kept += 1
            }
        }
        #expect(kept == 4)
        bed.end(entry)
        #expect(bed.batch(at: 10_000).isEmpty)
    }

    @Test func whatWasEndedBeforeItsTimeDoesNotComeUp() throws {
        let bed = OneWorkerTable()
        let entries = try (0..<9).map { try #require(bed.add(.numbered($0), timeout: 100)) }
        // First, last and middle of a slot's list.
        for place in [8, 0, 4] { bed.end(entries[place]) }
        #expect(Set(bed.batch(at: 200)) == Set([1, 2, 3, 5, 6, 7].map { entries[$0].index }))
        bed.pass(4)
        #expect(bed.drain().count == 64)
    }

    /// A one-packet entry is never armed. Its deadline may lie before the tick at which the entry's memory was last armed.
    @Test func anEntryThatWasNeverArmedCanBeDiscarded() throws {
        let bed = OneWorkerTable()
        let old = try #require(bed.add(.numbered(1), timeout: 10_000))
        bed.end(old)
        bed.pass()
        let onePacket = try #require(
            bed.make(.of("198.51.100.1:5", "203.0.113.80:53", "10.0.2.11:53", kind: .onePacket)))
        #expect(onePacket.index == old.index)
        onePacket.deadline = bed.now &+ 250
        bed.expiry.deadlineChanged(onePacket)
        let other = try #require(bed.add(.numbered(2), timeout: 250))
        bed.expiry.discard(onePacket)
        #expect(bed.batch(at: 300) == [other.index])
        bed.pass(4)
        #expect(bed.drain().count == 64)
    }

    @Test func saysWhenToLookNext() throws {
        let bed = OneWorkerTable(now: 16)
        #expect(bed.nextDue(at: 16) == 16 + 101 * Self.slot)
        _ = try #require(bed.add(.numbered(1), timeout: 40))
        #expect(bed.nextDue(at: 16) == 64)
        #expect(bed.batch(at: 63).isEmpty && bed.batch(at: 64).count == 1)
    }
}
