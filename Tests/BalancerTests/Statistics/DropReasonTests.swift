import Testing

@testable import Balancer

@Suite struct DropReasonTests {
    @Test func everyReasonHasANameAndASentenceOfItsOwn() {
        #expect(Set(DropReason.allCases.map(\.name)).count == DropReason.allCases.count)
        #expect(Set(DropReason.allCases.map(\.explanation)).count == DropReason.allCases.count)
        for reason in DropReason.allCases {
            #expect(reason.name.allSatisfy { $0.isLowercase || $0 == "_" }, "\(reason.name)")
            #expect(!reason.name.hasPrefix("_") && !reason.name.hasSuffix("_"))
        }
    }

    @Test(arguments: [
        (DropReason.truncated, "truncated"), (.notOurMAC, "not_our_mac"), (.badHeaderChecksum, "bad_header_checksum"),
        (.badICMP, "bad_icmp"), (.timeToLive, "time_to_live"), (.tableFull, "table_full"),
    ])
    func namesAreWrittenAsCounters(reason: DropReason, name: String) { #expect(reason.name == name) }
}
