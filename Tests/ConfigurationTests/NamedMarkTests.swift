import Balancer
import Testing
import Wire

@testable import Configuration

@Suite struct NamedMarkTests {
    @Test func interfacesHaveNamesInTextAndSlotsInTheEngine() throws {
        var mark = NamedMark(rule: MarkRule(mark: 0))
        for (name, value) in [("dst", "203.0.113.0/24"), ("proto", "tcp"), ("dport", "80"), ("interface", "eth1")] {
            #expect(mark.set(name, value) == nil)
        }
        #expect(mark.problem() == "mark is missing; it takes a number from 1 on")
        #expect(mark.set("mark", "5") == nil && mark.problem() == nil)
        #expect(mark.description == "--dst 203.0.113.0/24 --proto tcp --dport 80 --interface eth1 --mark 5")
        let rule = try #require(mark.resolved(["eth0", "eth1"]))
        #expect(rule.interface == 1 && NamedMark(rule, interfaces: ["eth0", "eth1"]) == mark)
        #expect(mark.resolved(["eth0"]) == nil)
        mark.interface = nil
        #expect(mark.resolved([])?.interface == nil)
    }

    @Test(arguments: [
        ("mark", "-1"), ("mark", "5x"), ("sport", "0"), ("proto", "256"), ("src", "1.2.3.4.5"), ("x", "1"),
    ])
    func aBadValueLeavesItAsItWas(name: String, value: String) {
        var mark = NamedMark(rule: MarkRule(mark: 3))
        let before = mark
        #expect(mark.set(name, value) != nil && mark == before)
    }
}
