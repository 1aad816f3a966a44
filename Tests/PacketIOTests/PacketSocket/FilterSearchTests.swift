import Testing

@testable import PacketIO

@Suite struct FilterSearchTests {
    private func range(_ first: UInt32, _ last: UInt32, _ target: Int = 0) -> FilterRange<Int> {
        FilterRange(first: first, last: last, target: target)
    }

    @Test func neighboursWithOneTargetAreJoined() {
        let ranges = [range(1, 2), range(3, 3), range(5, 5), range(6, 7, 1), range(.max, .max)]
        #expect(ranges.joined() == [range(1, 3), range(5, 5), range(6, 7, 1), range(.max, .max)])
    }

    @Test func theNarrowestGapsAreFilled() {
        let ranges = [range(0, 10), range(12, 12), range(100, 110), range(115, 115), range(5000, 5000)]
        #expect(ranges.widened(to: 5) == ranges)
        #expect(ranges.widened(to: 3) == [range(0, 12), range(100, 115), range(5000, 5000)])
        #expect(ranges.widened(to: 1) == [range(0, 5000)])
    }

    @Test func everyRangeIsFoundAndNothingElse() throws {
        var random = SeededRandom(seed: 7)
        var ranges: [FilterRange<Int>] = []
        var next: UInt32 = 0
        for target in 0..<200 {
            let first = next + UInt32.random(in: 0..<4, using: &random)
            let last = first + UInt32.random(in: 0..<3, using: &random)
            ranges.append(range(first, last, target % 5))
            next = last + 1
        }
        for value in 0..<next + 3 {
            var assembler = FilterAssembler()
            let targets = (0..<5).map { _ in assembler.label() }
            let otherwise = assembler.label()
            assembler.emit(FilterOperation.loadConstant, value)
            let labelled = ranges.map { FilterRange(first: $0.first, last: $0.last, target: targets[$0.target]) }
            assembler.search(labelled[...], otherwise: otherwise)
            for (index, target) in targets.enumerated() {
                assembler.place(target)
                assembler.emit(FilterOperation.end, UInt32(index + 1))
            }
            assembler.place(otherwise)
            assembler.emit(FilterOperation.end, 0)
            let expected = ranges.first { ($0.first...$0.last).contains(value) }.map { UInt32($0.target + 1) } ?? 0
            #expect(try FilterMachine(program: assembler.assembled()).run([]) == expected)
        }
    }

    @Test func keySetsJoinWhatOverlaps() {
        let set = FilterKeySet([10...20, 0...0, 15...30, 31...31, UInt32.max...UInt32.max, 40...50])
        #expect(set.ranges.map { [$0.first, $0.last] } == [[0, 0], [10, 31], [40, 50], [.max, .max]])
    }
}
