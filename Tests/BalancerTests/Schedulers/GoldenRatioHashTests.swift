import TestSupport
import Testing

@testable import Balancer

@Suite struct GoldenRatioHashTests {
    @Test func isTheTopByteOfTheProduct() {
        #expect(GoldenRatioHash.byte(0) == 0)
        #expect(GoldenRatioHash.byte(1) == 0x61)
        var random = SeededRandom(seed: 9)
        for _ in 0..<1000 {
            let value = UInt32(truncatingIfNeeded: random.next())
            #expect(GoldenRatioHash.byte(value) == Int(UInt64(value) * 0x61c8_8647 % 4_294_967_296 / 16_777_216))
        }
    }
}
