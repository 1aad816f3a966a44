import Testing

@testable import Balancer

@Suite struct TickTests {
    @Test func secondsAreOfTwoHundredAndFifty() {
        #expect(Ticks.seconds(900) == 225_000)
        #expect(UInt64(Ticks.perSecond) * Ticks.milliseconds == 1000)
    }

    @Test func orderHoldsAcrossTheWrap() {
        #expect(Ticks.isBefore(1, 2) && !Ticks.isBefore(2, 1) && !Ticks.isBefore(7, 7))
        #expect(Ticks.isBefore(.max, 0) && Ticks.isBefore(.max - 5, 3) && !Ticks.isBefore(3, .max - 5))
    }
}
