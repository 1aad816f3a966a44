import Balancer
public import Configuration
import Foundation
import Synchronization

/// Applies whole sets of rules, remembers the last 16, and saves what is in force. Any thread.
public final class RuleKeeper: Sendable {
    private let access: any RuleAccess
    private let folder: StateFolder?
    private let state = Mutex(State())

    private struct State {
        /// Newest first; the first is, or was before changes by hand, in force.
        var history: [(head: StateHead, rules: String?)] = []
        /// What was saved last.
        var saved: Signature?
        /// Whether an apply or rollback is under way.
        var isBusy = false
        var serial = 0
    }

    /// What tells cheaply whether rules have changed.
    private struct Signature: Hashable {
        var revision: UInt64
        var timeouts: Timeouts
        var settings: [Int32]

        init(_ engine: Engine) {
            revision = engine.revision
            timeouts = engine.timeouts
            settings = Setting.allCases.map { engine.settings[$0] }
        }
    }

    /// Without a folder the history lasts as long as the daemon, and nothing is saved.
    public init(_ access: any RuleAccess, folder: StateFolder? = nil) {
        self.access = access
        self.folder = folder
    }

    // MARK: Start

    /// Put the rules of the folder in force, if there are any. To be called once, on an engine without rules.
    /// - Returns: what happened, in lines for the log; nil when there was nothing to restore.
    /// - Throws: when there is something and it is not to be used.
    public func restore() throws -> [String]? {
        guard let folder else { return nil }
        let (file, remarks) = try folder.load()
        guard let file else { return nil }
        let rules = try file.ruleState()
        try put(rules)
        return remarks + [
            "rules of \(file.head.time.formatted(.iso8601)) restored from \(folder.path): "
                + "\(RulePlan.count(file.head.services, "service"))"
        ]
    }

    /// Put a file's rules in force at start.
    public func start(_ file: ConfigurationFile) throws {
        let errors = Lint(file).errors
        guard errors.isEmpty else {
            throw ConfigurationError(
                errors.map { finding in
                    ConfigurationProblem(
                        line: finding.line, message: "\(finding.subject): \(finding.reason). Fix: \(finding.fix)")
                })
        }
        try put(file.rules)
    }

    private func put(_ rules: RuleState) throws {
        try access.withEngine { engine in Result { try Self.apply(RulePlanner(rules, engine: engine), engine) } }.get()
    }

    /// Begin the history with what is in force now.
    /// - Parameter origin: What brought it about, e.g. `run --config FILE`.
    public func begin(origin: String) {
        let rules = access.withEngine { $0.ruleState }
        state.withLock { state in
            state.history = folder?.heads.map { ($0, nil) } ?? []
            state.serial = state.history.first?.head.serial ?? 0
            record(rules, origin: origin, &state)
        }
        saveIfChanged()
    }

    // MARK: Saving

    /// Save the rules if they were changed since they were saved last.
    /// - Returns: why that was not possible; nil when it was, or when there is no folder.
    @discardableResult
    public func saveIfChanged() -> String? {
        guard let folder else { return nil }
        let (signature, rules) = access.withEngine { engine in
            let signature = Signature(engine)
            let isSaved = state.withLock { $0.saved == signature }
            return (signature, isSaved ? nil : engine.ruleState)
        }
        guard let rules else { return nil }
        let origin = state.withLock { $0.history.first?.head.origin } ?? "start"
        do throws(ControlError) {
            try folder.save(StateFile(serial: state.withLock { $0.serial }, time: Date(), origin: origin, rules: rules))
            state.withLock { $0.saved = signature }
            return nil
        } catch {
            return error.description
        }
    }

    // MARK: Plan and apply

    /// What applying a file would change now.
    public func plan(_ request: RuleRequests.Apply) -> RuleRequests.Reply {
        var reply = RuleRequests.Reply()
        guard let file = read(request, &reply) else { return reply }
        reply.plan = access.withEngine { RulePlanner(file.rules, engine: $0).plan }
        return reply
    }

    /// Apply a file: all of it, or nothing.
    public func apply(_ request: RuleRequests.Apply) async -> RuleRequests.Reply {
        var reply = RuleRequests.Reply()
        guard let file = read(request, &reply) else { return reply }
        await change(to: file.rules, origin: "apply \(request.name)", drain: request.drain, &reply)
        return reply
    }

    /// Put an earlier state in force again.
    public func rollback(_ request: RuleRequests.Rollback) async -> RuleRequests.Reply {
        var reply = RuleRequests.Reply()
        noteChangesByHand()
        let (entry, count) = state.withLock { state in
            (state.history.indices.contains(request.steps) ? state.history[request.steps] : nil, state.history.count)
        }
        guard request.steps > 0, let entry else {
            reply.errors = [
                count < 2
                    ? "there is no earlier state"
                    : "there is no state \(request.steps); `fairlead history` lists 1 to \(count - 1)"
            ]
            return reply
        }
        switch Result(catching: { try rules(of: entry) }) {
        case .failure(let error): reply.errors = ["\(error)"]
        case .success(let rules):
            let origin = "rollback to \(entry.head.serial) (\(entry.head.origin))"
            await change(to: rules, origin: origin, drain: request.drain, &reply)
        }
        return reply
    }

    private func rules(of entry: (head: StateHead, rules: String?)) throws -> RuleState {
        if let text = entry.rules { return try ConfigurationFile(saved: text).rules }
        guard let file = folder?.state(serial: entry.head.serial) else {
            throw ControlError("the file of that state is damaged or gone")
        }
        return try file.ruleState()
    }

    /// The states, newest first; the first is in force.
    public func history() -> RuleRequests.History {
        noteChangesByHand()
        return RuleRequests.History(states: state.withLock { $0.history.map(\.head) })
    }

    /// The rules in force as a `fairlead.yaml`.
    public func export() -> String { ConfigurationText(access.withEngine { $0.ruleState }).yaml }

    private func read(_ request: RuleRequests.Apply, _ reply: inout RuleRequests.Reply) -> ConfigurationFile? {
        do throws(ConfigurationError) {
            let file = try ConfigurationFile(yaml: request.text)
            let findings = Lint(file).findings
            reply.warnings = findings.filter { $0.severity == .warning }.map { "\(request.name): \($0.text)" }
            reply.errors = findings.filter { $0.severity == .error }.map { "\(request.name): \($0.text)" }
            return reply.errors.isEmpty ? file : nil
        } catch {
            reply.errors = error.problems.map { "\(request.name): \($0)" }
            return nil
        }
    }

    private func change(
        to rules: RuleState, origin: String, drain: Double, _ reply: inout RuleRequests.Reply
    ) async {
        let isFree = state.withLock { state in
            defer { state.isBusy = true }
            return !state.isBusy
        }
        guard isFree else {
            reply.errors = ["another apply or rollback is under way; try again when it is done"]
            return
        }
        defer { state.withLock { $0.isBusy = false } }
        noteChangesByHand()
        let before = access.withEngine { $0.ruleState }
        let quiesced = drain > 0 ? await self.drain(rules, seconds: drain, &reply) : []
        let outcome = access.withEngine { engine in
            Result {
                let planner = RulePlanner(rules, engine: engine)
                do {
                    try Self.apply(planner, engine)
                } catch {
                    Self.restore(quiesced, engine)
                    throw error
                }
                return planner.plan
            }
        }
        do {
            let plan = try outcome.get()
            try follow(before)
            reply.plan = plan
            guard !plan.isEmpty || !quiesced.isEmpty else { return }
        } catch {
            reply.errors = ["\(error)"]
            return
        }
        let after = access.withEngine { $0.ruleState }
        state.withLock { record(after, origin: origin, &$0) }
        if let problem = saveIfChanged() { reply.warnings.append(problem) }
    }

    private static func apply(_ planner: RulePlanner, _ engine: Engine) throws(RuleRefusal) {
        try engine.apply(planner.operations)
        if let timeouts = planner.timeouts { engine.timeouts = timeouts }
        for (setting, value) in planner.settings { engine.settings[setting] = value }
    }

    /// Have filters and guard follow; when the host refuses, put the rules back that it took before.
    private func follow(_ before: RuleState) throws {
        do {
            try access.followRules()
        } catch {
            access.withEngine { engine in try? Self.apply(RulePlanner(before, engine: engine), engine) }
            try? access.followRules()
            throw error
        }
    }

    // MARK: Draining

    /// Quiesce the destinations that go, and wait for their connections to end.
    /// - Returns: those that were quiesced, as they were.
    private func drain(
        _ rules: RuleState, seconds: Double, _ reply: inout RuleRequests.Reply
    ) async -> [(destination: Destination, service: ServiceKey)] {
        let quiesced = access.withEngine { engine in
            let leaving = RulePlanner(rules, engine: engine).leaving
            engine.changeRules {
                for (destination, service) in leaving where destination.weight != 0 {
                    var quiet = destination
                    quiet.weight = 0
                    try? engine.editDestination(quiet, of: service)
                }
            }
            return leaving
        }
        let end = ContinuousClock.now + .seconds(min(seconds, 24 * 60 * 60))
        var left = connections(of: quiesced)
        while left > 0, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(100))
            left = connections(of: quiesced)
        }
        reply.undrained = left
        return quiesced
    }

    /// Entries of destinations, active or not; templates are not counted.
    private func connections(of destinations: [(destination: Destination, service: ServiceKey)]) -> Int {
        let wanted = Dictionary(grouping: destinations, by: \.service).mapValues { Set($0.map(\.destination.key)) }
        return access.withEngine { engine in
            wanted.reduce(0) { sum, item in
                let statuses = engine.service(item.key)?.destinations ?? []
                return statuses.filter { item.value.contains($0.destination.key) }.reduce(sum) {
                    $0 + Int($1.activeConnections) + Int($1.inactiveConnections)
                }
            }
        }
    }

    private static func restore(
        _ quiesced: [(destination: Destination, service: ServiceKey)], _ engine: Engine
    ) {
        engine.changeRules {
            for (destination, service) in quiesced { try? engine.editDestination(destination, of: service) }
        }
    }

    // MARK: History

    /// What ipvsadm changed since the last state was recorded becomes a state of its own.
    private func noteChangesByHand() {
        let rules = access.withEngine { $0.ruleState }
        state.withLock { record(rules, origin: "changed by hand (ipvsadm)", &$0) }
    }

    /// Put a state in front of the history, unless it is there already.
    private func record(_ rules: RuleState, origin: String, _ state: inout State) {
        let file = StateFile(serial: state.serial + 1, time: Date(), origin: origin, rules: rules)
        guard state.history.first?.head.checksum != file.head.checksum else { return }
        state.serial += 1
        let isKept = folder.map { folder in (try? folder.keep(file)) != nil } ?? false
        state.history.insert((file.head, isKept ? nil : file.rules), at: 0)
        state.history = Array(state.history.prefix(StateFolder.mostStates))
    }
}
