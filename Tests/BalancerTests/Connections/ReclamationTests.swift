import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ReclamationTests {
    private func table(workers: Int) -> ConnectionTableMemory {
        ConnectionTableMemory(size: TableSize(entries: 64, workers: workers), secret: HashSecret(1, 2))
    }

    @Test func theEpochMovesWhenEverybodyHasSeenIt() {
        let memory = table(workers: 2)
        let first = Participant(memory.table, number: 0)
        let second = Participant(memory.table, number: 1)
        first.enter()
        second.enter()
        let start = memory.table.epoch
        #expect(first.quiesce() == start + 1)
        #expect(first.quiesce() == start + 1)
        #expect(first.quiesce() == start + 1)
        #expect(second.quiesce() == start + 2)
        #expect(second.quiesce() == start + 2)
        second.leave()
        #expect(first.quiesce() == start + 3)
        #expect(first.quiesce() == start + 4)
    }

    @Test func whoDoesNotReadHoldsNothingUp() {
        let memory = table(workers: 8)
        let one = Participant(memory.table, number: 3)
        one.enter()
        let start = memory.table.epoch
        for step in 1...10 { #expect(one.quiesce() == start + UInt64(step)) }
    }

    /// What a reader holds is not used again before the reader has passed a quiescent point.
    @Test func aReaderKeepsWhatItFound() throws {
        let bed = OneWorkerTable()
        let reader = Participant(bed.table, number: 1)
        let entry = try #require(bed.add(.numbered(1)))
        reader.enter()
        bed.end(entry)
        bed.pass(10)
        #expect(entry.requestKey == EntryFieldsKey.request(1))
        for number in 0..<63 { #expect(bed.make(.numbered(100 + number))?.index != entry.index) }
        #expect(bed.make(.numbered(200)) == nil)
        reader.leave()
        bed.pass()
        #expect(bed.make(.numbered(200))?.index == entry.index)
    }

    @Test func aRemovedEntryComesBackAfterTwoEpochs() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1)))
        let epoch = bed.table.epoch
        bed.end(entry)
        bed.expiry.reclaim(epoch: epoch)
        bed.expiry.reclaim(epoch: epoch + 1)
        #expect(entry.flags.contains(.hashed))
        bed.expiry.reclaim(epoch: epoch + 2)
        #expect(!entry.flags.contains(.hashed))
    }

    /// Entries that were buried long ago and not looked at since are given back by the next burial.
    @Test func aWorkerThatRestedGivesBackWhatItHad() throws {
        let bed = OneWorkerTable()
        let old = try #require(bed.add(.numbered(1)))
        bed.end(old)
        for _ in 0..<3 { _ = bed.participant.quiesce() }
        let new = try #require(bed.add(.numbered(2)))
        bed.end(new)
        #expect(!old.flags.contains(.hashed) && new.flags.contains(.hashed))
    }
}
