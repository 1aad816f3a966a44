import Balancer
import Configuration
import Foundation
import Synchronization
import Wire

@testable import Control

/// An engine with rules from YAML, and what a keeper needs of a daemon.
final class RuleBed: RuleAccess {
    private let held: Mutex<Engine>
    /// How often filters and guard followed; below 0: they refuse.
    let follows = Mutex(0)

    struct Refused: Error, CustomStringConvertible {
        let description = "the guard refuses"
    }

    static let yaml = """
        services:
          - address: 198.18.10.80:80
            scheduler: wrr
            method: nat
            destinations: [198.18.2.11:80, 198.18.2.12:80, 198.18.2.13:80]
          - address: 198.18.10.80:81
            scheduler: maglev
            table_size: 251
            method: nat
            destinations: [198.18.2.11:81, 198.18.2.12:81]

        """

    init(_ yaml: String = RuleBed.yaml, services: Int = 64, destinations: Int = 256) throws {
        let engine = Engine(
            EngineConfiguration(
                entries: 256, services: services, destinations: destinations, secret: HashSecret(1, 2)))
        engine.advance(milliseconds: 0)
        try engine.apply(RulePlanner(try ConfigurationFile(yaml: yaml).rules, engine: engine).operations)
        held = Mutex(engine)
    }

    func withEngine<Value: Sendable>(_ body: (Engine) -> Value) -> Value {
        held.withLock { body($0) }
    }

    func followRules() throws {
        try follows.withLock { count in
            guard count >= 0 else {
                count += 1
                throw Refused()
            }
            count += 1
        }
    }

    var rules: RuleState { withEngine { $0.ruleState } }
    var text: String { ConfigurationText(rules).yaml }

    static func key(_ port: UInt16) -> ServiceKey {
        .address(transportProtocol: 6, address: .init(v4: 0xc612_0a50), port: port)
    }

    /// Have a destination carry so many established connections more (or fewer).
    func connect(_ count: Int, _ place: Int = 0, port: UInt16 = 80) {
        withEngine { engine in
            guard
                let record = engine.serviceTable.find(
                    transportProtocol: 6, address: .init(v4: 0xc612_0a50), port: port, mark: 0)?.record
            else { return }
            let state = engine.slots.destination(record.destination(place).slot)
            for _ in 0..<abs(count) {
                if count > 0 {
                    state.bind(isTemplate: false, isActive: true)
                } else {
                    state.unbind(isTemplate: false, isActive: true)
                }
            }
        }
    }

    func plan(_ yaml: String) throws -> RulePlan {
        let rules = try ConfigurationFile(yaml: yaml).rules
        return withEngine { RulePlanner(rules, engine: $0).plan }
    }
}
