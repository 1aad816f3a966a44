import Glibc
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Balancer

/// Several workers at one table. Run under the thread sanitizer, too.
@Suite struct ConnectionTableThreadTests {
    /// What the threads share.
    private final class Bed: Sendable {
        static let keys = 24
        let memory: ConnectionTableMemory
        let inboxes: Inboxes
        let workers: Int
        let barrier: Barrier
        /// Insertions less removals, by client.
        let balance: [Counter]
        let problem = Mutex<String?>(nil)

        init(workers: Int, entries: Int) {
            self.workers = workers
            memory = ConnectionTableMemory(
                size: TableSize(entries: entries, workers: workers), secret: HashSecret(5, 6))
            inboxes = Inboxes(workers: workers)
            barrier = Barrier(workers)
            balance = (0..<Self.keys).map { _ in Counter() }
        }

        func report(_ text: String) { problem.withLock { $0 = $0 ?? text } }
    }

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    /// A worker: finds, inserts, ends, shortens and expires entries of clients that all workers deal with.
    private struct Worker: ~Copyable {
        let bed: Bed
        let table: ConnectionTable
        let participant: Participant
        var expiry: Expiry
        let number: UInt8
        var random: SeededRandom
        var now: Tick = 0

        init(_ bed: Bed, _ number: Int, seed: UInt64) {
            self.bed = bed
            table = bed.memory.table
            participant = Participant(bed.memory.table, number: number)
            expiry = Expiry(table: bed.memory.table, inboxes: bed.inboxes, worker: UInt8(number), now: 0)
            self.number = UInt8(number)
            random = SeededRandom(seed: seed &* 31 &+ UInt64(number))
        }

        mutating func batch() {
            expiry.reclaim(epoch: participant.quiesce())
            now &+= 2
            var budget = expiry.begin()
            while let entry = expiry.next(now: now, budget: &budget) {
                if remove(entry) { expiry.discard(entry) }
            }
            for _ in 0..<8 { step() }
        }

        func remove(_ entry: ConnectionEntry) -> Bool {
            guard table.remove(entry) else { return false }
            bed.balance[client(of: entry)].value.wrappingSubtract(1, ordering: .relaxed)
            return true
        }

        func client(of entry: ConnectionEntry) -> Int { Int(entry.clientPort) - 1024 }

        mutating func step() {
            let client = Int.random(in: 0..<Bed.keys, using: &random)
            let isRequest = random.next() & 1 == 0
            let key = isRequest ? EntryFieldsKey.request(client) : EntryFieldsKey.reply(client)
            guard let found = table.find(key, hash: table.hash(key)) else {
                return insert(client)
            }
            let entry = found.entry
            let itsKey = found.direction == .request ? entry.requestKey : entry.replyKey
            if itsKey != key { bed.report("\(key) found the entry of \(itsKey)") }
            if (found.direction == .request) != isRequest { bed.report("\(key) found as \(found.direction)") }
            switch random.next() % 4 {
            case 0:
                if remove(entry) { expiry.retire(entry) }
            case 1:
                entry.timeout = Tick(random.next() % 40)
                entry.deadline = now &+ entry.timeout
                expiry.deadlineChanged(entry)
            default:
                entry.count(length: 1, isRequest: isRequest)
                entry.deadline = now &+ 100
                expiry.deadlineChanged(entry)
            }
        }

        mutating func insert(_ client: Int) {
            guard let entry = table.make(.numbered(client), worker: number, now: now) else { return }
            entry.timeout = 50
            entry.deadline = now &+ 50
            // Counted first, since another worker may end it at once.
            bed.balance[client].value.wrappingAdd(1, ordering: .relaxed)
            if case .inserted = table.insert(entry) {
                expiry.arm(entry)
            } else {
                bed.balance[client].value.wrappingSubtract(1, ordering: .relaxed)
                expiry.discard(entry)
            }
        }

        /// End what is left of this worker's clients, and pass grace periods together with the others.
        mutating func finish() {
            for client in stride(from: Int(number), to: Bed.keys, by: bed.workers) {
                let key = EntryFieldsKey.request(client)
                let found = table.findRequest(key)
                let balance = bed.balance[client].value.load(ordering: .relaxed)
                if balance != (found == nil ? 0 : 1) { bed.report("client \(client): balance \(balance)") }
                if let entry = found, remove(entry) { expiry.retire(entry) }
                if table.found(key) != nil { bed.report("client \(client) is still there") }
            }
            for _ in 0..<12 {
                bed.barrier.wait()
                _ = expiry.begin()
                expiry.reclaim(epoch: participant.quiesce())
            }
            participant.leave()
        }
    }

    @Test(arguments: [2, 4]) func workersKeepTheTableWhole(workers: Int) {
        let bed = Bed(workers: workers, entries: 64)
        let batches = TestScale.count(debug: 3_000, release: 60_000)
        Threads.run(workers) { number in
            var worker = Worker(bed, number, seed: UInt64(workers))
            worker.participant.enter()
            for _ in 0..<batches { worker.batch() }
            bed.barrier.wait()
            worker.finish()
        }
        let problem = bed.problem.withLock { $0 }
        #expect(problem == nil)
        let table = bed.memory.table
        #expect(table.count == 0)
        // Every entry is free, and once.
        var free: [UInt32] = []
        while let entry = table.make(.numbered(0), worker: 0, now: 0) { free.append(entry.index) }
        #expect(free.sorted() == Array(0..<64))
        #expect((0..<Bed.keys).allSatisfy { table.found(EntryFieldsKey.reply($0)) == nil })
    }

    /// A lister walks all entries while workers make and end them: what it sees of an entry belongs together.
    @Test func aReaderSeesWholeEntries() {
        let bed = Bed(workers: 2, entries: 64)
        let isDone = Counter()
        let batches = TestScale.count(debug: 1_500, release: 40_000)
        Threads.run(3) { number in
            guard number < 2 else {
                let reader = Participant(bed.memory.table, number: 2)
                while isDone.value.load(ordering: .acquiring) < 2 {
                    reader.enter()
                    for index in 0..<bed.memory.table.usedEntries {
                        let entry = bed.memory.table.entry(index)
                        let flags = entry.flags
                        guard flags.contains(.hashed), !flags.contains(.removed) else { continue }
                        let client = Int(entry.clientPort) - 1024
                        if entry.requestKey != EntryFieldsKey.request(client) { bed.report("half an entry: \(client)") }
                    }
                    reader.leave()
                    sched_yield()
                }
                return
            }
            var worker = Worker(bed, number, seed: 77)
            worker.participant.enter()
            for _ in 0..<batches { worker.batch() }
            worker.participant.leave()
            isDone.value.wrappingAdd(1, ordering: .releasing)
        }
        let problem = bed.problem.withLock { $0 }
        #expect(problem == nil)
    }
}
