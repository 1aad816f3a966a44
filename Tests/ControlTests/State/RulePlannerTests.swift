import Balancer
import Configuration
import Testing

@testable import Control

@Suite struct RulePlannerTests {
    @Test func theSameRulesChangeNothing() throws {
        let bed = try RuleBed()
        let plan = try bed.plan(RuleBed.yaml)
        #expect(plan.isEmpty && plan.unchangedServices == 2 && plan.unchangedDestinations == 5)
        #expect(plan.text == "nothing to change\n")
        // Nor does another order.
        let swapped = RuleBed.yaml.replacing("198.18.2.11:80, 198.18.2.12:80", with: "198.18.2.12:80, 198.18.2.11:80")
        #expect(try bed.plan(swapped).isEmpty)
    }

    /// Rules that mark packets are part of what a file says, in their order.
    @Test func marksAreCompared() throws {
        let bed = try RuleBed()
        func marks(_ lines: String...) -> String {
            "marks:\n" + lines.map { "  - {\($0)}\n" }.joined() + RuleBed.yaml
        }
        let (one, two) = ("dst: 203.0.113.80, mark: 5", "dst: 203.0.113.81, mark: 6")
        let plan = try bed.plan(marks(one, two))
        #expect(plan.marks == ["+ mark --dst 203.0.113.80 --mark 5", "+ mark --dst 203.0.113.81 --mark 6"])
        #expect(!plan.isEmpty && plan.text.hasPrefix("+ mark --dst 203.0.113.80 --mark 5\n"))
        func apply(_ yaml: String) throws {
            let rules = try ConfigurationFile(yaml: yaml).rules
            try bed.withEngine { engine in
                Result { try engine.apply(RulePlanner(rules, engine: engine).operations) }
            }.get()
        }
        try apply(marks(one, two))
        #expect(bed.withEngine { $0.markRules.map(\.mark) } == [5, 6])
        #expect(try bed.plan(marks(one, two)).isEmpty)
        #expect(try bed.plan(marks(two, one)).marks == ["~ marks: their order"])
        try apply(marks(two, one))
        #expect(bed.withEngine { $0.markRules.map(\.mark) } == [6, 5])
        #expect(try bed.plan(marks(one)).marks == ["- mark --dst 203.0.113.81 --mark 6"])
        // One that cannot be had leaves all as it was.
        #expect(throws: RuleRefusal.self) { try apply(marks("dst: 203.0.113.82, interface: eth9, mark: 7")) }
        #expect(bed.withEngine { $0.markRules.map(\.mark) } == [6, 5])
        try apply(RuleBed.yaml)
        #expect(bed.withEngine { $0.markRules.isEmpty })
    }

    @Test func countsWhomAChangeMeets() throws {
        let bed = try RuleBed()
        // Newest first: place 0 is 198.18.2.13.
        bed.connect(5, 0)
        bed.connect(3, 1)
        bed.connect(2, 2)
        let plan = try bed.plan(
            """
            timeouts: {tcp: 600}
            settings: {conn_reuse_mode: 0, drop_entry: 0}
            services:
              - address: 198.18.10.80:80
                scheduler: wrr
                method: nat
                destinations: [198.18.2.11:80, {address: 198.18.2.12:80, weight: 0}, 198.18.2.14:80]
              - {address: 198.18.10.80:82, method: dr, destinations: [198.18.2.11]}
            """)
        #expect(plan.effect == RulePlan.Effect(cut: 5, drained: 3))
        #expect(plan.settings == ["timeout tcp 900 -> 600", "setting conn_reuse_mode 1 -> 0"])
        #expect(plan.services.map(\.action) == [.change, .add, .remove])
        #expect(plan.services.map(\.service) == ["TCP 198.18.10.80:80", "TCP 198.18.10.80:82", "TCP 198.18.10.80:81"])
        let destinations = plan.services[0].destinations
        #expect(destinations.map(\.action) == [.change, .add, .remove])
        #expect(destinations.map(\.established) == [3, 0, 5])
        #expect(destinations[0].details == ["weight 1 -> 0"])
        #expect(
            plan.text == """
                ~ TCP 198.18.10.80:80
                    ~ 198.18.2.12:80  (weight 1 -> 0): drains 3 established connections
                    + 198.18.2.14:80  (Masq, weight 1)
                    - 198.18.2.13:80: cuts 5 established connections
                      1 destination unchanged
                + TCP 198.18.10.80:82  (scheduler wlc)
                    + 198.18.2.11:82  (Route, weight 1)
                - TCP 198.18.10.80:81
                    - 198.18.2.11:81
                    - 198.18.2.12:81
                ~ timeout tcp 900 -> 600
                ~ setting conn_reuse_mode 1 -> 0

                services: 1 added, 1 changed, 1 removed, 0 unchanged
                destinations: 2 added, 1 changed, 3 removed, 1 unchanged
                established connections: 5 cut, 3 drained, about 0 re-hashed

                """)
    }

    /// Connections of UDP all count as inactive, and are cut all the same.
    @Test func connectionsOfUDPAreCounted() throws {
        let yaml = """
            services:
              - {address: 198.18.10.80:53, protocol: udp, method: nat, destinations: [198.18.2.11:53, 198.18.2.12:53]}
            """
        let bed = try RuleBed(yaml)
        bed.withEngine { engine in
            let key = engine.serviceTable.find(
                transportProtocol: 17, address: .init(v4: 0xc612_0a50), port: 53, mark: 0)
            guard let record = key?.record else { return }
            for place in 0..<record.count {
                engine.slots.destination(record.destination(place).slot).bind(isTemplate: false, isActive: false)
            }
        }
        #expect(try bed.plan("services: []").effect == RulePlan.Effect(cut: 2))
    }

    @Test func namesWhatChangesOfAService() throws {
        let bed = try RuleBed()
        let plan = try bed.plan(
            RuleBed.yaml.replacing("scheduler: wrr", with: "scheduler: lc\n    persistence: {timeout: 60, prefix: 24}"))
        #expect(plan.services.map(\.details) == [["scheduler wrr -> lc", "persistence none -> 60 s /24"]])
        #expect(plan.unchangedServices == 1 && plan.unchangedDestinations == 5)
    }

    /// Whatever the two sets of rules, the steps lead from one to the other.
    @Test func theStepsLeadThere() throws {
        let pool = "local_addresses: [198.18.2.100, 198.18.2.101]"
        let files = [
            RuleBed.yaml, "services: []",
            "services: [{address: \"198.18.10.80:80\", scheduler: sh, method: fullnat, \(pool), "
                + "destinations: [198.18.2.11:80, 198.18.2.15:80]}]",
            "services: [{address: \"198.18.10.80:80\", scheduler: mh, method: nat, "
                + "destinations: [{address: 198.18.2.15:80, weight: 7}]}, {fwmark: 3, method: dr, destinations: [198.18.2.1]}]",
        ]
        for first in files {
            for second in files {
                let bed = try RuleBed(first)
                let wanted = try ConfigurationFile(yaml: second).rules
                try bed.withEngine { engine in
                    Result { try engine.apply(RulePlanner(wanted, engine: engine).operations) }
                }.get()
                #expect(try bed.plan(second).isEmpty, "\(first) to \(second)")
                #expect(Set(bed.rules.services.map(\.service)) == Set(wanted.services.map(\.service)))
                #expect(bed.rules.destinationCount == wanted.destinationCount)
            }
        }
    }
}
