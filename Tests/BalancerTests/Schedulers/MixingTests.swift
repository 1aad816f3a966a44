import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct MixingTests {
    /// SplitMix64's generator is this hash of a counter: the first outputs for the seeds 0 and 1234567.
    @Test func isSplitMix64() {
        #expect(Mixing.mix(0) == 0xe220_a839_7b1d_cdaf)
        #expect(Mixing.mix(1_234_567) == 6_457_827_717_110_365_317)
    }

    @Test func everyPartOfAnAddressCounts() {
        let base = Mixing.hash(IPAddress(high: 1, low: 2), 3)
        #expect(Mixing.hash(IPAddress(high: 1 << 63 | 1, low: 2), 3) != base)
        #expect(Mixing.hash(IPAddress(high: 1, low: 6), 3) != base)
        #expect(Mixing.hash(IPAddress(high: 1, low: 2), 4) != base)
    }

    @Test func numbersBelowABoundAreEven() {
        var random = SeededRandom(seed: 4)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[Mixing.below(7, random.next())] += 1 }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
        #expect(Mixing.below(131_071, .max) == 131_070)
        #expect(Mixing.below(1, .max) == 0)
    }
}
