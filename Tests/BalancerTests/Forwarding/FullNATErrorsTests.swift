import TestSupport
import Testing
import Wire

@testable import Balancer

/// The tables of RFC 7915; whole errors are in `DirectorFullNATErrorsTests`.
@Suite struct FullNATErrorsTests {
    private typealias Header = FullNATErrors.Header

    @Test func icmpBecomesICMPv6() {
        for code in [UInt8(0), 1, 5, 6, 7, 8, 11, 12] {
            #expect(FullNATErrors.toV6(3, code, 0, added: 0) == Header(type: 1, code: 0))
        }
        for code in [UInt8(9), 10, 13, 15] {
            #expect(FullNATErrors.toV6(3, code, 0, added: 0) == Header(type: 1, code: 1))
        }
        #expect(FullNATErrors.toV6(3, 2, 0, added: 0) == Header(type: 4, code: 1, rest: 6))
        #expect(FullNATErrors.toV6(3, 3, 0, added: 0) == Header(type: 1, code: 4))
        #expect(FullNATErrors.toV6(11, 0, 0, added: 0) == Header(type: 3, code: 0))
        #expect(FullNATErrors.toV6(11, 1, 0, added: 0) == Header(type: 3, code: 1))
        for (type, code) in [(UInt8(3), UInt8(14)), (4, 0), (5, 1), (12, 1), (8, 0)] {
            #expect(FullNATErrors.toV6(type, code, 0, added: 0) == nil)
        }
    }

    @Test func icmpv6BecomesICMP() {
        for code in [UInt8(0), 2, 3] { #expect(FullNATErrors.toV4(1, code, 0) == Header(type: 3, code: 1)) }
        #expect(FullNATErrors.toV4(1, 1, 0) == Header(type: 3, code: 10))
        #expect(FullNATErrors.toV4(1, 4, 0) == Header(type: 3, code: 3))
        #expect(FullNATErrors.toV4(3, 1, 0) == Header(type: 11, code: 1))
        #expect(FullNATErrors.toV4(1, 5, 0) == nil && FullNATErrors.toV4(137, 0, 0) == nil)
    }

    /// 20 bytes more towards IPv6, never less than every link carries; 20 less towards IPv4.
    @Test func mtusAreTheReceivers() {
        for (told, added, wanted) in [(UInt32(1400), 0, UInt32(1420)), (1400, 52, 1368), (576, 0, 1280), (0, 0, 1280)] {
            #expect(FullNATErrors.toV6(3, 4, told, added: added) == Header(type: 2, code: 0, rest: wanted))
        }
        // The upper half of the word is not the MTU's.
        #expect(FullNATErrors.toV6(3, 4, 0xffff_0000 | 1400, added: 0)?.rest == 1420)
        for (told, wanted) in [(UInt32(1300), UInt32(1280)), (1280, 1260), (5, 0), (100_000, 0xffff)] {
            #expect(FullNATErrors.toV4(2, 0, told) == Header(type: 3, code: 4, rest: wanted))
        }
    }
}
