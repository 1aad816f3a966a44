import Testing

@testable import Balancer

@Suite struct LocalityEntryTests {
    private func members(_ entry: LocalityEntry) -> [UInt64] { (0..<entry.count).map { entry[$0].word } }

    @Test func newestFirstAndNoneTwice() {
        var entry = LocalityEntry(sequence: 0)
        for word in [5, 6, 7, 6] as [UInt64] { entry.insert(LocalityMember(word), now: Tick(word)) }
        #expect(members(entry) == [7, 6, 5])
        #expect(entry.lastChange == 7)
        entry.remove(at: 1, now: 9)
        #expect(members(entry) == [7, 5])
        #expect(entry.lastChange == 9)
        #expect((0..<3).map { entry.word($0) } == [7, 5, 0])
        entry.replace(with: LocalityMember(1), now: 10)
        #expect(members(entry) == [1])
    }

    @Test func aFullSetTakesNoMore() {
        var entry = LocalityEntry(sequence: 0)
        for word in 1...30 as ClosedRange<UInt64> { entry.append(LocalityMember(word)) }
        #expect(members(entry) == Array(1...21))
        entry.insert(LocalityMember(99), now: 1)
        #expect(members(entry) == Array(1...21))
    }

    /// A slot given to another destination is another member.
    @Test func aMemberIsSlotAndDestination() {
        let bed = SchedulerBed(.lblc)
        bed.add(.server(1))
        let first = bed.records[0]
        let member = LocalityMember(first)
        #expect(member.place(bed.reference.record, bed.slots) == 0)
        bed.remove(0)
        #expect(member.place(bed.reference.record, bed.slots) == nil)
        bed.add(.server(2), slot: first.slot)
        #expect(member.place(bed.reference.record, bed.slots) == nil)
    }
}
