import Balancer
import Configuration
import Foundation
import Testing
import Wire

@testable import Control

@Suite(.timeLimit(.minutes(2))) struct RuleKeeperTests {
    private static let other = RuleBed.yaml.replacing("198.18.2.13:80", with: "198.18.2.14:80")

    private static func keeper(_ bed: RuleBed, _ folder: StateFolder? = nil) -> RuleKeeper {
        let keeper = RuleKeeper(bed, folder: folder)
        keeper.begin(origin: "run")
        return keeper
    }

    private static func request(_ yaml: String, drain: Double = 0) -> RuleRequests.Apply {
        RuleRequests.Apply(name: "f.yaml", text: yaml, drain: drain)
    }

    @Test func appliesAndRollsBack() async throws {
        let bed = try RuleBed()
        let keeper = Self.keeper(bed)
        let before = bed.text
        let planned = keeper.plan(Self.request(Self.other))
        #expect(bed.text == before)
        let reply = await keeper.apply(Self.request(Self.other))
        #expect(reply.errors.isEmpty && reply.plan == planned.plan && reply.plan?.isEmpty == false)
        #expect(bed.follows.withLock { $0 } == 1)
        let after = bed.text
        #expect(after != before)
        #expect(keeper.history().states.map(\.origin) == ["apply f.yaml", "run"])
        // What is in force already is no new state.
        #expect(await keeper.apply(Self.request(Self.other)).plan?.isEmpty == true)
        #expect(keeper.history().states.count == 2)

        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 1)).errors.isEmpty)
        #expect(try bed.plan(RuleBed.yaml).isEmpty)
        #expect(keeper.history().states.map(\.origin) == ["rollback to 1 (run)", "apply f.yaml", "run"])
        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 1)).errors.isEmpty)
        #expect(try bed.plan(Self.other).isEmpty)
        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 9)).errors.first?.contains("no state 9") == true)
        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 0)).errors.count == 1)
    }

    /// Changes by ipvsadm, settings and timeouts belong to a state too.
    @Test func changesByHandCanBeRolledBack() async throws {
        let bed = try RuleBed()
        let keeper = Self.keeper(bed)
        bed.withEngine { engine in
            engine.removeAllServices()
            engine.timeouts = Timeouts(tcp: 1, tcpFin: 2, udp: 3)
            engine.settings[.dropEntry] = 3
        }
        #expect(keeper.history().states.map(\.origin) == ["changed by hand (ipvsadm)", "run"])
        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 1)).errors.isEmpty)
        #expect(try bed.plan(RuleBed.yaml).isEmpty)
        #expect(bed.withEngine { $0.timeouts } == Timeouts() && bed.withEngine { $0.settings[.dropEntry] } == 0)
    }

    @Test func refusesWhatIsWrongAndChangesNothing() async throws {
        let bed = try RuleBed()
        let keeper = Self.keeper(bed)
        let before = bed.text
        for (yaml, says) in [
            ("services: [{adress: x}]", "f.yaml: line 1, column 13: unknown key"),
            ("services: [{address: \"198.18.10.80:80\", method: dr, destinations: [198.18.2.1:81]}]", "port-change"),
        ] {
            let reply = await keeper.apply(Self.request(yaml))
            #expect(reply.plan == nil && reply.errors.first?.contains(says) == true, "\(reply.errors)")
            #expect(keeper.plan(Self.request(yaml)).errors == reply.errors)
        }
        // The host refuses: the rules are put back.
        bed.follows.withLock { $0 = -1 }
        let reply = await keeper.apply(Self.request(Self.other))
        #expect(reply.errors == ["the guard refuses"] && reply.plan == nil)
        #expect(try bed.plan(RuleBed.yaml).isEmpty && bed.rules.destinationCount == 5)
        #expect(before.count == bed.text.count && keeper.history().states.count <= 2)
    }

    @Test func waitsForConnectionsToEnd() async throws {
        let bed = try RuleBed()
        let keeper = Self.keeper(bed)
        bed.connect(2, 0)
        let work = Task { await keeper.apply(Self.request(Self.other, drain: 60)) }
        // It is quiesced at once, and goes when its connections have ended.
        while bed.withEngine({ $0.service(RuleBed.key(80)) })?.destinations.first?.destination.weight != 0 {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(bed.rules.destinationCount == 5)
        let busy = await keeper.apply(Self.request(Self.other))
        #expect(busy.errors.first?.contains("under way") == true)
        bed.connect(-2, 0)
        let reply = await work.value
        #expect(reply.errors.isEmpty && reply.undrained == 0 && reply.plan?.effect.cut == 0)
        #expect(try bed.plan(Self.other).isEmpty)
    }

    @Test func doesNotWaitForever() async throws {
        let bed = try RuleBed()
        bed.connect(2, 0)
        let reply = await Self.keeper(bed).apply(Self.request(Self.other, drain: 0.2))
        #expect(reply.undrained == 2 && reply.plan?.effect.cut == 2)
        #expect(try bed.plan(Self.other).isEmpty)
    }

    @Test func rulesAndHistorySurviveARestart() async throws {
        let place = try ControlServerTests.Folder()
        let rules: RuleState
        do {
            let bed = try RuleBed()
            let keeper = Self.keeper(bed, try StateFolder(place.path))
            _ = await keeper.apply(Self.request(Self.other))
            // A change by hand is saved when the daemon looks after it.
            bed.withEngine { engine in
                _ = try? engine.removeDestination(
                    DestinationKey(address: IPAddress(v4: 0xc612_020b), port: 80), of: RuleBed.key(80))
                _ = try? engine.addMark(
                    MarkRule(destination: IPAddress(v4: 0xcb00_7150), destinationLength: 32, mark: 5))
            }
            #expect(keeper.saveIfChanged() == nil)
            rules = bed.rules
            #expect(rules.marks.count == 1)
        }
        let bed = try RuleBed("services: []")
        let keeper = RuleKeeper(bed, folder: try StateFolder(place.path))
        let lines = try #require(try keeper.restore())
        #expect(lines.count == 1 && lines[0].contains("2 services"), "\(lines)")
        keeper.begin(origin: "run")
        #expect(bed.rules == rules)
        // What was changed by hand had not become a state of the history yet.
        #expect(keeper.history().states.map(\.origin) == ["run", "apply f.yaml", "run"])
        #expect(await keeper.rollback(RuleRequests.Rollback(steps: 2)).errors.isEmpty)
        #expect(try bed.plan(RuleBed.yaml).isEmpty)
    }

    @Test func answersOnTheSocket() async throws {
        let place = try ControlServerTests.Folder()
        let path = place.path + "/control"
        let bed = try RuleBed()
        let keeper = Self.keeper(bed)
        let server = ControlServer(path: path, handlers: keeper.handlers)
        let (isReady, ready) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { ready.yield() } }
            group.addTask {
                for await _ in isReady { break }
                func send(_ request: some Encodable, _ route: String) async throws -> Data {
                    let body = try JSONEncoder().encode(request)
                    return try await withCheckedThrowingContinuation { continuation in
                        Thread.detachNewThread {
                            continuation.resume(with: Result { try ControlClient(path: path).send(body, to: route) })
                        }
                    }
                }
                let decoder = JSONDecoder()
                let apply = Self.request(Self.other)
                let plan = try decoder.decode(RuleRequests.Reply.self, from: try await send(apply, RuleRequests.plan))
                #expect(plan.plan?.services.count == 1 && plan.errors.isEmpty)
                var asText = apply
                asText.asText = true
                let shown = try decoder.decode(
                    RuleRequests.Reply.self, from: try await send(asText, RuleRequests.plan))
                #expect(shown.plan == nil && shown.text == plan.plan?.text)
                let done = try decoder.decode(RuleRequests.Reply.self, from: try await send(apply, RuleRequests.apply))
                #expect(done.plan == plan.plan)
                let back = try decoder.decode(
                    RuleRequests.Reply.self,
                    from: try await send(RuleRequests.Rollback(steps: 1), RuleRequests.rollback))
                #expect(back.errors.isEmpty)
                let history = try decoder.decode(
                    RuleRequests.History.self, from: try await send("", RuleRequests.history))
                #expect(history.states.count == 3)
                let text = String(decoding: try await send("", RuleRequests.export), as: UTF8.self)
                #expect(try bed.plan(text).isEmpty)
                let bad = try decoder.decode(RuleRequests.Reply.self, from: try await send("", RuleRequests.apply))
                #expect(bad.errors == ["the request cannot be read"])
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
