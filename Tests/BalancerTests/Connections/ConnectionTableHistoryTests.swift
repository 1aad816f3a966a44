import Glibc
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Balancer

/// Is the table linearisable? Short histories of several threads on few request keys are recorded, and an order is looked
/// for in which one thread would have got the same answers (Herlihy and Wing, "Linearizability", 1990; the search is Wing
/// and Gong's, 1993).
@Suite struct ConnectionTableHistoryTests {
    /// An operation, its answer, and when it was called and returned.
    struct Operation {
        enum Kind: Equatable {
            /// Insert the entry of this index: the index that is there afterwards.
            case insert(UInt32, there: UInt32)
            case find(UInt32?)
            /// Remove the entry of this index.
            case remove(UInt32, Bool)
        }
        var key: Int
        var kind: Kind
        var called: Int
        var returned: Int

        /// The state of the key afterwards; nil when the answer is not that of `state`.
        func apply(to state: UInt32?) -> UInt32?? {
            switch kind {
            case .insert(let own, let there):
                if let state { return there == state ? .some(state) : nil }
                return there == own ? .some(own) : nil
            case .find(let found):
                return found == state ? .some(state) : nil
            case .remove(let index, let isRemoved):
                return isRemoved == (state == index) ? .some(isRemoved ? nil : state) : nil
            }
        }
    }

    /// Whether the operations of one key, which starts absent, can be put in a legal order. Keys are independent of each
    /// other, and linearisability is local, so each is judged alone.
    static func isLinearizable(_ operations: [Operation]) -> Bool {
        struct Position: Hashable {
            var done: UInt64
            var state: UInt32?
        }
        let all: UInt64 = operations.count == 64 ? .max : 1 << UInt64(operations.count) - 1
        var seen: Set<Position> = []
        var stack = [Position(done: 0, state: nil)]
        while let position = stack.popLast() {
            if position.done == all { return true }
            let open = operations.indices.filter { position.done >> UInt64($0) & 1 == 0 }
            let firstReturn = open.map { operations[$0].returned }.min() ?? .max
            for index in open where operations[index].called <= firstReturn {
                guard let state = operations[index].apply(to: position.state) else { continue }
                let next = Position(done: position.done | 1 << UInt64(index), state: state)
                if seen.insert(next).inserted { stack.append(next) }
            }
        }
        return false
    }

    // MARK: The judge

    @Test func theJudgeAcceptsALegalOrder() {
        #expect(
            Self.isLinearizable([
                Operation(key: 0, kind: .insert(1, there: 1), called: 0, returned: 5),
                Operation(key: 0, kind: .find(nil), called: 1, returned: 2),
                Operation(key: 0, kind: .find(1), called: 3, returned: 4),
                Operation(key: 0, kind: .insert(2, there: 1), called: 4, returned: 6),
                Operation(key: 0, kind: .remove(1, true), called: 7, returned: 9),
                Operation(key: 0, kind: .remove(1, false), called: 8, returned: 10),
                Operation(key: 0, kind: .find(nil), called: 11, returned: 12),
            ]))
    }

    @Test func theJudgeRefusesAnIllegalOne() {
        // The loser of a removal still finds the entry.
        #expect(
            !Self.isLinearizable([
                Operation(key: 0, kind: .insert(1, there: 1), called: 0, returned: 1),
                Operation(key: 0, kind: .remove(1, true), called: 2, returned: 9),
                Operation(key: 0, kind: .remove(1, false), called: 3, returned: 4),
                Operation(key: 0, kind: .find(1), called: 5, returned: 6),
            ]))
        // Two insertions of one key.
        #expect(
            !Self.isLinearizable([
                Operation(key: 0, kind: .insert(1, there: 1), called: 0, returned: 2),
                Operation(key: 0, kind: .insert(2, there: 2), called: 1, returned: 3),
            ]))
    }

    // MARK: The table

    /// What one thread did; read by others only after it has ended.
    private final class Log: @unchecked Sendable {
        var operations: [Operation] = []
    }

    /// A history's table and clock.
    private final class Trial: Sendable {
        static let keys = 2
        let memory = ConnectionTableMemory(size: TableSize(entries: 64, workers: 3), secret: HashSecret(8, 9))
        let clock = Atomic<Int>(0)
        let logs = (0..<3).map { _ in Log() }
        let arrived = Atomic<Int>(0)

        /// Wait a moment for the others, so that the operations overlap where the machine has cores for it.
        func meet(_ threads: Int) {
            arrived.wrappingAdd(1, ordering: .relaxed)
            for _ in 0..<4_000 where arrived.load(ordering: .relaxed) >= threads { return }
        }

        /// Three to five random operations of one thread.
        func run(_ number: Int, _ random: inout SeededRandom) {
            let table = memory.table
            var held: (key: Int, entry: ConnectionEntry)?
            var done: [Operation] = []
            for _ in 0..<Int.random(in: 3...5, using: &random) {
                let key = Int.random(in: 0..<Self.keys, using: &random)
                let choice = random.next() % 3
                if choice == 2, let target = held {
                    let called = tick()
                    let isRemoved = table.remove(target.entry)
                    done.append(
                        Operation(
                            key: target.key, kind: .remove(target.entry.index, isRemoved), called: called,
                            returned: tick()))
                } else if choice == 0, let entry = table.make(.numbered(key), worker: UInt8(number), now: 0) {
                    let called = tick()
                    let insertion = table.insert(entry)
                    let returned = tick()
                    var there = entry.index
                    if case .exists(let other) = insertion { there = other }
                    held = (key, table.entry(there))
                    done.append(
                        Operation(
                            key: key, kind: .insert(entry.index, there: there), called: called, returned: returned))
                } else {
                    let called = tick()
                    let found = table.findRequest(EntryFieldsKey.request(key))
                    let returned = tick()
                    if let found { held = (key, found) }
                    done.append(
                        Operation(
                            key: key, kind: .find(found.map { $0.index }), called: called, returned: returned))
                }
            }
            logs[number].operations = done
        }

        private func tick() -> Int { clock.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue }
    }

    @Test(arguments: [2, 3]) func historiesAreLinearizable(threads: Int) {
        var overlaps = 0
        var turn: UInt64 = 0
        // Without operations at the same time nothing was shown: on busy processors that may take some turns.
        repeat {
            overlaps += overlapsOfLinearizableHistories(threads: threads, seed: turn)
            turn += 1
        } while overlaps == 0 && turn < 50
        #expect(overlaps > 0)
    }

    /// Record histories and look at them; how often operations on a key overlapped.
    private func overlapsOfLinearizableHistories(threads: Int, seed: UInt64) -> Int {
        let trials = (0..<TestScale.count(debug: 1_500, release: 3_000)).map { _ in Trial() }
        Threads.run(threads) { number in
            var random = SeededRandom(seed: seed * 1000 + UInt64(threads * 100 + number))
            for trial in trials {
                Participant(trial.memory.table, number: number).enter()
                trial.meet(threads)
                trial.run(number, &random)
            }
        }
        var overlaps = 0
        for (round, trial) in trials.enumerated() {
            let operations = trial.logs.flatMap(\.operations)
            for key in 0..<Trial.keys {
                let order = operations.filter { $0.key == key }.sorted { $0.called < $1.called }
                if zip(order, order.dropFirst()).contains(where: { $0.returned > $1.called }) { overlaps += 1 }
                if !Self.isLinearizable(order) { Issue.record("seed \(seed), round \(round): \(order)") }
            }
        }
        return overlaps
    }
}
