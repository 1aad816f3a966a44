import Balancer
import Configuration
import Testing

@testable import Control

@Suite struct RehashEstimateTests {
    private static func yaml(_ scheduler: String, _ servers: ClosedRange<Int>, more: String = "") -> String {
        let list = servers.map { "198.18.2.\($0):80" }.joined(separator: ", ")
        return "services: [{address: \"198.18.10.80:80\", scheduler: \(scheduler), method: nat\(more), "
            + "destinations: [\(list)]}]"
    }

    private static func rehash(_ scheduler: String, more: String = "") throws -> (RulePlan.Rehash?, RulePlan.Effect) {
        let bed = try RuleBed(yaml(scheduler, 11...20))
        for place in 0..<10 { bed.connect(100, place) }
        let plan = try bed.plan(yaml(scheduler, 11...21, more: more))
        return (plan.services.first?.rehash, plan.effect)
    }

    /// A tenth server takes an eleventh of the clients; a hash that is not consistent moves many more.
    @Test func consistentHashesMoveLittle() throws {
        for scheduler in ["mh", "maglev", "rendezvous"] {
            let (rehash, effect) = try Self.rehash(scheduler)
            let found = try #require(rehash)
            #expect(found.scheduler == scheduler && (0.08..<0.13).contains(found.moved), "\(scheduler) \(found)")
            #expect(found.unavoidable <= found.moved)
            #expect((80..<130).contains(effect.rehashed) && effect.cut == 0 && effect.drained == 0, "\(effect)")
        }
        let (rehash, effect) = try Self.rehash("sh")
        #expect(try #require(rehash).moved > 0.5 && effect.rehashed > 500)
    }

    /// Without the hash every client's next connection goes elsewhere.
    @Test func leavingAHashMovesAll() throws {
        let bed = try RuleBed(Self.yaml("sh", 11...12))
        for place in 0..<2 { bed.connect(10, place) }
        let plan = try bed.plan(Self.yaml("rr", 11...12))
        #expect(plan.effect == RulePlan.Effect(rehashed: 20) && plan.services.first?.rehash?.moved == 1)
    }

    @Test func otherSchedulersHashNobody() throws {
        for scheduler in ["rr", "wrr", "lc", "wlc", "sed", "nq", "p2c"] {
            #expect(try Self.rehash(scheduler) == (nil, RulePlan.Effect()))
        }
    }

    @Test func anotherWayToHashMovesAll() throws {
        let (rehash, effect) = try Self.rehash("mh", more: ", flags: [port]")
        #expect(rehash?.moved == 1 && effect.rehashed == 1000)
    }

    /// Connections of a server that goes are cut; of the others', few are re-hashed.
    @Test func aServerThatGoesTakesItsOwn() throws {
        let bed = try RuleBed(Self.yaml("maglev", 11...20))
        for place in 0..<10 { bed.connect(100, place) }
        let plan = try bed.plan(Self.yaml("maglev", 11...19))
        #expect(plan.effect.cut == 100 && plan.effect.rehashed < 30, "\(plan.effect)")
        #expect(plan.text.contains("maglev: "))
    }
}
