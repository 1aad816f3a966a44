import Balancer
import Testing
import Wire

@Suite struct MasqueradeRuleTests {
    /// Who is masqueraded by which rule: a pod, somebody else, and the destination itself.
    @Test(arguments: [
        (MasqueradeRule.loops, [false, false, true]), (.all, [true, true, true]), (.nodePort, [true, true, true]),
    ])
    func rules(rule: MasqueradeRule, expected: [Bool]) throws {
        let destination = try #require(IPAddress("10.100.0.1"))
        let clients = ["10.100.0.2", "192.0.2.1", "10.100.0.1"].compactMap { IPAddress($0) }
        #expect(clients.map { rule.includes($0, to: destination) } == expected)
    }

    @Test(arguments: [("10.100.0.0/16", "10.100.0.2", "10.101.0.1"), ("fd00:10::/56", "fd00:10::2", "fd00:11::1")])
    func clientsOutsideAPrefix(prefix: String, inside: String, outside: String) throws {
        let prefix = try #require(AddressPrefix(prefix))
        let rule = MasqueradeRule.outside(prefix)
        let (inside, outside) = (try #require(IPAddress(inside)), try #require(IPAddress(outside)))
        #expect(!rule.includes(inside, to: prefix.address))
        #expect(rule.includes(outside, to: prefix.address))
        #expect(rule.includes(inside, to: inside))
    }
}
