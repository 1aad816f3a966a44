import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct EngineTests {
    /// BEHAVIOUR.md 1 (13): counters are folded in every two seconds, before that they show 0.
    @Test func countersAreFoldedInEveryTwoSeconds() throws {
        let bed = EngineBed(workers: 2)
        try bed.engine.addService(EngineBed.service())
        let slot = try #require(bed.record()).slot
        bed.engine.advance(milliseconds: 500)
        bed.engine.serviceRow(worker: 0).countConnection(slot)
        bed.engine.serviceRow(worker: 0).countIn(slot, bytes: 60)
        bed.engine.serviceRow(worker: 1).countIn(slot, bytes: 40)
        bed.engine.serviceRow(worker: 1).countOut(slot, bytes: 1500)
        bed.engine.advance(milliseconds: 1999)
        #expect(bed.engine.service(EngineBed.key())?.counters == TrafficCounters())
        bed.engine.advance(milliseconds: 2000)
        let folded = TrafficCounters(connections: 1, inPackets: 2, outPackets: 1, inBytes: 100, outBytes: 1500)
        #expect(bed.engine.service(EngineBed.key())?.counters == folded)
        bed.engine.serviceRow(worker: 0).countIn(slot, bytes: 1)
        bed.engine.advance(milliseconds: 3999)
        #expect(bed.engine.service(EngineBed.key())?.counters == folded)
        bed.engine.advance(milliseconds: 4000)
        #expect(bed.engine.service(EngineBed.key())?.counters.inPackets == 3)
    }

    /// `-Z` zeroes what was folded in; what came since reappears [stats].
    @Test func zeroForgetsWhatWasFoldedIn() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addService(EngineBed.service("203.0.113.81:80"))
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        let record = try #require(bed.record())
        let other = try #require(bed.record("203.0.113.81:80"))
        func count() {
            bed.engine.serviceRow(worker: 0).countIn(record.slot, bytes: 10)
            bed.engine.destinationRow(worker: 0).countIn(record.destination(0).slot, bytes: 10)
            bed.engine.serviceRow(worker: 0).countIn(other.slot, bytes: 10)
        }
        count()
        bed.advance(to: 2)
        count()
        try bed.engine.zero(EngineBed.key())
        #expect(bed.engine.service(EngineBed.key())?.counters == TrafficCounters())
        #expect(bed.servers()[0].counters == TrafficCounters())
        #expect(bed.engine.service(EngineBed.key("203.0.113.81:80"))?.counters.inPackets == 1)
        bed.advance(from: 3, to: 4)
        #expect(bed.engine.service(EngineBed.key())?.counters.inPackets == 1)
        #expect(bed.servers()[0].counters.inPackets == 1)
        #expect(bed.engine.service(EngineBed.key("203.0.113.81:80"))?.counters.inPackets == 2)
        try bed.engine.zero(nil)
        #expect(bed.engine.services().allSatisfy { $0.counters == TrafficCounters() })
    }

    @Test func theClockCountsTicks() {
        let bed = EngineBed()
        bed.engine.advance(milliseconds: 10_007)
        #expect(bed.engine.now == 2501)
    }

    /// A snapshot lives while a worker may read it, and not longer.
    @Test func oldSnapshotsAreFreedAfterTheWorkersHavePassed() throws {
        let bed = EngineBed(workers: 2)
        let first = Participant(bed.engine.table, number: 0)
        let second = Participant(bed.engine.table, number: 1)
        try bed.engine.addService(EngineBed.service())
        first.enter()
        second.enter()
        weak let old = bed.engine.rules[EngineBed.key()]?.block
        let seen = try #require(bed.record())
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        #expect(old != nil && seen.count == 0 && bed.record()?.count == 1)
        for step in 1...10 {
            _ = first.quiesce()
            bed.engine.advance(milliseconds: UInt64(step))
        }
        #expect(old != nil)
        for step in 11...14 {
            _ = first.quiesce()
            _ = second.quiesce()
            bed.engine.advance(milliseconds: UInt64(step))
        }
        #expect(old == nil && bed.record()?.count == 1)
    }

    @Test func snapshotsAreFreedWhenNobodyReads() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        weak let old = bed.engine.rules[EngineBed.key()]?.block
        for weight in 1...5 {
            let server = EngineBed.server("10.0.2.11:80", weight: Int32(weight))
            if weight == 1 {
                try bed.engine.addDestination(server, to: EngineBed.key())
            } else {
                try bed.engine.editDestination(server, of: EngineBed.key())
            }
        }
        #expect(old == nil)
    }

    /// A change rebuilds the service it is about; the others are shared.
    @Test func aChangeKeepsTheOtherServices() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addService(EngineBed.service("203.0.113.81:80"))
        let other = try #require(bed.engine.rules[EngineBed.key("203.0.113.81:80")]).block
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        #expect(bed.engine.rules[EngineBed.key("203.0.113.81:80")]?.block === other)
    }

    @Test func theWalkSeesLiveEntriesOnly() throws {
        let bed = EngineBed()
        let table = bed.engine.table
        var entries: [ConnectionEntry] = []
        for client in 0..<5 {
            let entry = try #require(table.make(.numbered(client), worker: 0, now: 0))
            entries.append(entry)
            if client == 4 { continue }
            guard case .inserted = table.insert(entry) else {
                Issue.record("not inserted")
                return
            }
        }
        #expect(table.remove(entries[2]))
        var seen: [UInt32] = []
        bed.engine.forEachEntry { seen.append($0.index) }
        #expect(seen == [entries[0].index, entries[1].index, entries[3].index])
    }
}
