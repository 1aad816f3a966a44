import Testing
import Wire

@testable import Balancer

@Suite struct SourceRateTests {
    @Test func defaultsAreAPeriodAndAHost() {
        let rate = SourceRate(connections: 30, period: .minute, family: .v4)
        #expect(rate.burst == 30 && rate.prefixLength == 32)
        #expect(SourceRate(connections: 1, family: .v6).prefixLength == 64)
    }

    @Test(arguments: [
        (SourceRate(connections: 1, family: .v4), true), (SourceRate(connections: 100_000, family: .v4), true),
        (SourceRate(connections: 0, burst: 1, family: .v4), false),
        (SourceRate(connections: 100_001, burst: 1, family: .v4), false),
        (SourceRate(connections: 1, burst: 0, family: .v4), false),
        (SourceRate(connections: 1, prefixLength: 33, family: .v4), false),
        (SourceRate(connections: 1, prefixLength: 0, family: .v4), false),
        (SourceRate(connections: 1, period: .hour, burst: 240, family: .v4), true),
        (SourceRate(connections: 1, period: .hour, burst: 241, family: .v4), false),
    ])
    func knowsItsBounds(rate: SourceRate, isUsable: Bool) {
        #expect(rate.isUsable(.v4) == isUsable)
    }

    @Test func limitsAreInFractionsOfATick() {
        let second = SourceLimit(SourceRate(connections: 250, burst: 1, family: .v4))
        #expect(second.interval == 65_536 && second.tolerance == 0)
        let hour = SourceLimit(SourceRate(connections: 1, period: .hour, burst: 3, family: .v4))
        #expect(hour.interval == 3600 * 250 * 65_536 && hour.tolerance == 2 * hour.interval)
        #expect(SourceLimit(nil).interval == 0)
    }
}
