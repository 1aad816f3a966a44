import TestSupport
import Testing

@testable import Balancer

@Suite struct MaglevTableTests {
    /// The paper's table 1: M = 7, (offset, skip) = (3, 4), (0, 2), (3, 1), before and after the middle one is removed.
    @Test func thePapersExample() {
        let permutations = [(3, 4), (0, 2), (3, 1)].map { MaglevPermutation(first: $0.0, step: $0.1) }
        #expect(MaglevTable.fill(size: 7, permutations, weights: [1, 1, 1]) == [1, 0, 1, 0, 2, 2, 0])
        #expect(MaglevTable.fill(size: 7, permutations, turnsEachRound: [1, 1, 1]) == [1, 0, 1, 0, 2, 2, 0])
        #expect(MaglevTable.fill(size: 7, permutations, turnsEachRound: [1, 0, 1]) == [0, 0, 0, 0, 2, 2, 2])
        #expect(
            MaglevTable.fill(size: 7, [permutations[0], permutations[2]], weights: [1, 1]) == [0, 0, 0, 0, 1, 1, 1])
    }

    /// Cilium's known answer, which no hash has a part in: M = 1021, weights 2, 13, 111, 10.
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func weightedShares(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let permutations = (0..<4).map { _ in
            MaglevPermutation(
                first: Int.random(in: 0..<1021, using: &random), step: Int.random(in: 1..<1021, using: &random))
        }
        let table = MaglevTable.fill(size: 1021, permutations, weights: [2, 13, 111, 10])
        #expect((0..<4).map { owner in table.count { $0 == owner } } == [16, 98, 832, 75])
    }

    @Test func nobodyWithTurnsGivesNoTable() {
        #expect(MaglevTable.fill(size: 7, [], weights: []).isEmpty)
        #expect(MaglevTable.fill(size: 7, [], turnsEachRound: []).isEmpty)
        #expect(MaglevTable.fill(size: 7, [MaglevPermutation(first: 0, step: 1)], turnsEachRound: [0]).isEmpty)
    }
}
