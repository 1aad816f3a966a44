import Testing

@testable import Dataplane

@Suite struct BusyPollingTests {
    private static let soon = BusyPolling.longest
    private static let late = BusyPolling.longest + 1

    private func policy(_ waits: [Int64]) -> BusyPolling {
        var policy = BusyPolling()
        for wait in waits { policy.waited(wait) }
        return policy
    }

    private func soon(_ count: Int) -> [Int64] { [Int64](repeating: Self.soon, count: count) }

    @Test func onlyAfterSeveralFramesThatCameSoon() {
        for count in 0..<8 {
            var policy = policy(soon(count))
            #expect(policy.isWorthwhile(at: 0) { true } == (count >= 4))
        }
    }

    @Test func longWaitsEndIt() {
        var policy = policy(soon(100) + [Self.late, Self.late, Self.late])
        #expect(policy.isWorthwhile(at: 0) { true })
        policy.waited(Self.late)
        #expect(!policy.isWorthwhile(at: 0) { true })
        for wait in soon(3) { policy.waited(wait) }
        #expect(!policy.isWorthwhile(at: 0) { true })
        policy.waited(0)
        #expect(policy.isWorthwhile(at: 0) { true })
    }

    @Test func onlyWhereProcessorsAreFreeAndTheKernelIsAskedSeldom() {
        var policy = policy(soon(16))
        var asked = 0
        var isFree = false
        func look(at now: Int64) -> Bool {
            policy.isWorthwhile(at: now) {
                asked += 1
                return isFree
            }
        }
        #expect(!look(at: 1000))
        isFree = true
        #expect(!look(at: 1000 + BusyPolling.interval - 1))
        #expect(asked == 1)
        #expect(look(at: 1000 + BusyPolling.interval))
        isFree = false
        #expect(look(at: 1001 + BusyPolling.interval))
        #expect(asked == 2)
        #expect(!look(at: 1000 + 2 * BusyPolling.interval))
    }

    @Test func theKernelIsNotAskedWhereFramesComeSeldom() {
        var policy = BusyPolling()
        #expect(
            !policy.isWorthwhile(at: 0) {
                Issue.record("asked")
                return true
            })
    }
}
