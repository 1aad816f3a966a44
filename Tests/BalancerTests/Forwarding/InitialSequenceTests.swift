import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct InitialSequenceTests {
    private static let secret = HashSecret(0x1111_2222_3333_4444, 0x5555_6666_7777_8888)
    private static let key = FlowKey.between("10.0.2.11:80", "10.0.2.200:1024")

    /// SipHash-1-3 of the addresses and ports, after the paper.
    @Test func isTheHashOfTheConnection() {
        var message: [UInt8] = []
        for word in [Self.key.source.high, Self.key.source.low, Self.key.destination.high, Self.key.destination.low] {
            message += word.networkBytes.reversed()
        }
        // Source and destination port, the last byte first.
        message += [0x00, 0x04, 80, 0]
        let hash = ReferenceSipHash.hash(
            message, Self.secret.first ^ 0x5345_515f_4e55_4d42, Self.secret.second, compression: 1, finalisation: 3)
        #expect(
            InitialSequence.number(of: Self.key, now: 0, secret: Self.secret) == UInt32(truncatingIfNeeded: hash))
    }

    /// 64 ns a step: 15,625,000 a second, over the wrap of the clock too.
    @Test func growsWithTheClock() {
        let start = InitialSequence.number(of: Self.key, now: 0xffff_ff00, secret: Self.secret)
        let later = InitialSequence.number(of: Self.key, now: 0xffff_ff00 &+ 250, secret: Self.secret)
        #expect(later &- start == 15_625_000)
        #expect(InitialSequence.number(of: Self.key, now: 0x100, secret: Self.secret) &- start == 0x200 * 62_500)
    }

    @Test func everyPartOfTheConnectionCounts() {
        let others = [
            FlowKey.between("10.0.2.12:80", "10.0.2.200:1024"), .between("10.0.2.11:81", "10.0.2.200:1024"),
            .between("10.0.2.11:80", "10.0.2.201:1024"), .between("10.0.2.11:80", "10.0.2.200:1025"),
        ]
        let numbers = ([Self.key] + others).map { InitialSequence.number(of: $0, now: 0, secret: Self.secret) }
        #expect(Set(numbers).count == 5)
        #expect(InitialSequence.number(of: Self.key, now: 0, secret: HashSecret(1, 2)) != numbers[0])
    }
}
