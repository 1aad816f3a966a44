import TestSupport
import Testing
import Wire

@testable import Balancer

/// Two workers' timers, in one thread: what each hands to the other.
@Suite struct ExpiryInboxTests {
    /// A table with two workers.
    private final class Bed {
        let memory = ConnectionTableMemory(size: TableSize(entries: 64, workers: 2), secret: HashSecret(1, 2))
        let inboxes = Inboxes(workers: 2)
        let table: ConnectionTable
        let one: Participant
        let two: Participant
        var first: Expiry
        var second: Expiry

        init() {
            table = memory.table
            first = Expiry(table: memory.table, inboxes: inboxes, worker: 0, now: 0)
            second = Expiry(table: memory.table, inboxes: inboxes, worker: 1, now: 0)
            one = Participant(memory.table, number: 0)
            two = Participant(memory.table, number: 1)
            one.enter()
            two.enter()
        }

        /// An entry of the first worker.
        func add(_ client: Int, timeout: Tick = 10_000) throws -> ConnectionEntry {
            let entry = try #require(table.make(.numbered(client), worker: 0, now: 0))
            entry.timeout = timeout
            entry.deadline = timeout
            guard case .inserted = table.insert(entry) else { throw Missing() }
            first.arm(entry)
            return entry
        }

        struct Missing: Error {}

        /// The first worker's batch: what was due.
        func batch(at now: Tick) -> [ConnectionEntry] {
            var due: [ConnectionEntry] = []
            var budget = first.begin()
            while let entry = first.next(now: now, budget: &budget) { due.append(entry) }
            return due
        }

        /// Let grace periods pass; then take every free entry.
        func drain() -> [UInt32] {
            for _ in 0..<6 {
                _ = first.begin()
                first.reclaim(epoch: one.quiesce())
                _ = second.begin()
                second.reclaim(epoch: two.quiesce())
            }
            var free: [UInt32] = []
            while let entry = table.make(.numbered(0), worker: 0, now: 0) { free.append(entry.index) }
            return free.sorted()
        }
    }

    private static let everyEntry = Array(UInt32(0)..<64)

    @Test func anotherWorkersShorterDeadlineIsHeeded() throws {
        let bed = Bed()
        let entry = try bed.add(1)
        entry.deadline = 100
        bed.second.deadlineChanged(entry)
        #expect(entry.flags.contains(.inInbox))
        #expect(bed.batch(at: 99).isEmpty && !entry.flags.contains(.inInbox))
        let due = bed.batch(at: 110)
        #expect(due.map(\.index) == [entry.index])
        #expect(bed.table.remove(entry))
        bed.first.discard(entry)
        #expect(bed.drain() == Self.everyEntry)
    }

    @Test func anotherWorkersLongerDeadlineCostsNothing() throws {
        let bed = Bed()
        let entry = try bed.add(1, timeout: 100)
        entry.deadline = 5000
        bed.second.deadlineChanged(entry)
        #expect(!entry.flags.contains(.inInbox))
        #expect(bed.batch(at: 200).isEmpty)
        #expect(bed.batch(at: 5010).count == 1)
    }

    @Test func anotherWorkerMayEndAnEntry() throws {
        let bed = Bed()
        let entry = try bed.add(1, timeout: 100)
        let other = try bed.add(2, timeout: 100)
        #expect(bed.table.remove(entry))
        bed.second.retire(entry)
        #expect(bed.batch(at: 200).map(\.index) == [other.index])
        #expect(bed.table.remove(other))
        bed.first.discard(other)
        #expect(bed.drain() == Self.everyEntry)
    }

    @Test func anEntryIsPostedOnce() throws {
        let bed = Bed()
        let entries = try (1...5).map { try bed.add($0) }
        for round in 0..<3 {
            for entry in entries {
                entry.deadline = Tick(300 - round * 100)
                bed.second.deadlineChanged(entry)
            }
        }
        #expect(bed.table.remove(entries[2]))
        bed.second.retire(entries[2])
        let due = bed.batch(at: 110)
        #expect(Set(due.map(\.index)) == Set([0, 1, 3, 4].map { entries[$0].index }))
        for entry in due where bed.table.remove(entry) { bed.first.discard(entry) }
        #expect(bed.drain() == Self.everyEntry)
    }

    /// The owner ends an entry whose time is up while it lies in its inbox.
    @Test func anEntryInTheInboxIsBuriedOnce() throws {
        let bed = Bed()
        let entry = try bed.add(1, timeout: 100)
        let neighbours = try (2...4).map { try bed.add($0) }
        var budget = bed.first.begin()
        let due = bed.first.next(now: 200, budget: &budget)
        #expect(due?.index == entry.index)
        // Between `next` and `discard` another worker, which found it before, shortens its time.
        entry.deadline = 50
        bed.second.deadlineChanged(entry)
        #expect(bed.table.remove(entry))
        bed.first.discard(entry)
        for neighbour in neighbours {
            #expect(bed.table.remove(neighbour))
            bed.first.retire(neighbour)
        }
        #expect(bed.drain() == Self.everyEntry)
    }

    /// The remover was stopped before it had cleared the keys: whoever finds the entry now may use it until its next
    /// quiescent point, so the grace period has not begun.
    @Test(arguments: [false, true]) func anEntryThatCanStillBeFoundIsNotBuried(isPosted: Bool) throws {
        let bed = Bed()
        let entry = try bed.add(1, timeout: 100)
        if isPosted {
            entry.deadline = 50
            bed.second.deadlineChanged(entry)
        }
        // What `ConnectionTable.remove` does first.
        entry.set(.removed)
        for tick in stride(from: Tick(200), to: 1000, by: 100) { #expect(bed.batch(at: tick).isEmpty) }
        #expect(!entry.flags.contains(.buried))
        // Found meanwhile: ended entries are not armed again.
        entry.deadline = 1
        bed.first.deadlineChanged(entry)
        bed.second.deadlineChanged(entry)
        #expect(!entry.flags.contains(.inInbox))
        // It goes on, and hands the entry over.
        entry.clear(.removed)
        #expect(bed.table.remove(entry))
        bed.second.retire(entry)
        #expect(entry.flags.contains(.inInbox))
        #expect(bed.drain() == Self.everyEntry)
    }

    /// Another worker posts an entry that the owner has buried already.
    @Test func aBuriedEntryIsNotPosted() throws {
        let bed = Bed()
        let entry = try bed.add(1)
        #expect(bed.table.remove(entry))
        bed.first.retire(entry)
        entry.deadline = 1
        bed.second.deadlineChanged(entry)
        bed.second.retire(entry)
        #expect(!entry.flags.contains(.inInbox))
        #expect(bed.drain() == Self.everyEntry)
    }

    /// The owner finds an entry in the wheel that another worker has removed and not yet posted.
    @Test func aRemovedEntryInTheWheelIsBuried() throws {
        let bed = Bed()
        let entry = try bed.add(1, timeout: 100)
        #expect(bed.table.remove(entry))
        #expect(bed.batch(at: 200).isEmpty)
        bed.second.retire(entry)
        #expect(bed.drain() == Self.everyEntry)
    }

    /// Another worker ends an entry before its owner has armed it.
    @Test func anEntryMayEndBeforeItIsArmed() throws {
        let bed = Bed()
        let entry = try #require(bed.table.make(.numbered(1), worker: 0, now: 0))
        entry.deadline = 100
        guard case .inserted = bed.table.insert(entry) else {
            Issue.record("not inserted")
            return
        }
        #expect(bed.table.remove(entry))
        bed.second.retire(entry)
        bed.first.arm(entry)
        #expect(bed.batch(at: 200).isEmpty)
        #expect(bed.drain() == Self.everyEntry)
    }
}
