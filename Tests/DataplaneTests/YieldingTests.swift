import Testing

@testable import Dataplane

@Suite struct YieldingTests {
    @Test func onceAfterFrames() {
        var yielding = Yielding(isUseful: true)
        var answers = [yielding.isWorthwhile()]
        for _ in 0..<2 {
            yielding.served()
            yielding.served()
            answers += [yielding.isWorthwhile(), yielding.isWorthwhile()]
        }
        #expect(answers == [false, true, false, true, false])
    }

    @Test func neverWhereOthersHaveTheirOwnProcessor() {
        var yielding = Yielding(isUseful: false)
        yielding.served()
        let answer = yielding.isWorthwhile()
        #expect(!answer)
    }

    @Test func notToThreadsThatCompute() {
        var yielding = Yielding(isUseful: true)
        yielding.took(Yielding.longest)
        var yields = 0
        for round in 0..<(2 * Yielding.penalty + 2) {
            yielding.served()
            guard yielding.isWorthwhile() else { continue }
            yields += 1
            if round == 0 || yields == 2 { yielding.took(Yielding.longest + 1) }
        }
        #expect(yields == 2)
    }
}
