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
}
