import Testing

@testable import Balancer

@Suite struct GreatestCommonDivisorTests {
    @Test func ofNumbers() {
        #expect(GreatestCommonDivisor.of([]) == 0)
        #expect(GreatestCommonDivisor.of([7]) == 7)
        #expect(GreatestCommonDivisor.of([12, 18, 30]) == 6)
        #expect(GreatestCommonDivisor.of([2_147_483_647, 2]) == 1)
    }
}
