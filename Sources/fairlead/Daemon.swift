import Balancer
import Configuration
import Control
import Dataplane
import Foundation
import Kubernetes
import Logging
import Netlink
import PacketIO
import ServiceLifecycle
import Synchronization
import Wire

/// The daemon: engine, workers, ports, routes, guard and control socket, put together.
final class Daemon: Service {
    let logger: Logger
    private let engine: Engine
    private let routing: RoutingPublication
    private let monitor: RoutingMonitor
    /// The ports of each worker, in the order of the interfaces.
    private let ports: [[any InterfacePort]]
    /// How each interface's frames are taken, and why; said once the daemon runs.
    private let choices: [String]
    private let workers: [Worker]
    private let resolver: MonitorResolver
    private let hostGuard: Guard?
    private let localClients: LocalClientPart?
    private let socketPath: String
    /// Held while the rules are changed or listed; what it holds is what ports and guard know of them.
    private let rules = Mutex(FollowedRules())
    private let kubernetes = KubernetesRules()

    /// Set in `init`, when the engine is there, and never after.
    private let keeping = Mutex<RuleKeeper?>(nil)

    init(_ options: Fairlead.Run, _ file: ConfigurationFile? = nil) throws {
        var logger = Logger(label: "fairlead")
        logger.logLevel = .notice
        self.logger = logger
        socketPath = try ControlSocketPath(option: options.control).forServer()
        localClients = try options.localClients ? LocalClientPart() : nil
        monitor = try RoutingMonitor(
            interfaces: options.interface, localClients: localClients == nil ? nil : LocalClientPart.device)
        (ports, choices) = try Self.open(options)
        engine = Engine(
            EngineConfiguration(
                entries: options.connections, workers: ports.count,
                secret: HashSecret(.random(in: .min ... .max), .random(in: .min ... .max)),
                memory: .mapped, ownsAddresses: !options.onlyHostAddresses))
        routing = RoutingPublication(monitor.snapshot, table: engine.table)
        resolver = MonitorResolver(monitor)
        hostGuard = Self.guardHost(ports[0], logger)
        let isGuarded = hostGuard != nil || ports[0].allSatisfy(\.keepsFramesFromHost)
        // There is one worker then (`Run.validate`).
        let localPort = localClients?.port
        workers = try ports.enumerated().map { [engine, routing, resolver] number, ports in
            Worker(
                WorkerConfiguration(
                    number: number, processor: options.processor.map { $0 + number },
                    isRealTime: options.realtime,
                    seed: options.seed.map { $0 &+ UInt64(number) } ?? .random(in: .min ... .max),
                    isGuarded: isGuarded, localClientSlot: localPort == nil ? nil : ports.count),
                engine: engine, routing: routing, ports: ports + [localPort].compactMap(\.self),
                hostPort: isGuarded ? try PacketSocket(interface: "lo") : nil, resolver: resolver)
        }
        engine.network = { [routing] in routing.snapshot }
        engine.hostPorts = { HostPorts.automatic }
        engine.advance(milliseconds: Worker.milliseconds)
        if localClients != nil {
            engine.reachHost(from: LocalClients.serverSources)
            try LocalClientPart.lend(monitor.snapshot.hostAddresses, of: engine)
        }
        try loadRules(options, file)
        for setting in options.sysctl { _ = try Settings.apply(setting, to: engine) }
        // What the rules moved while they came, line by line, is no news.
        _ = engine.takeTableDisruptions()
        try ownTraffic(announces: false)
    }

    /// Open every interface for every worker.
    private static func open(_ options: Fairlead.Run) throws -> (ports: [[any InterfacePort]], choices: [String]) {
        var ports = [[any InterfacePort]](repeating: [], count: options.workerCount)
        var choices: [String] = []
        for interface in options.interface {
            let opened = try options.portChoice(interface).open(
                interface: interface, workers: ports.count, bypassesQueueingDiscipline: options.bypassQdisc)
            for (worker, port) in opened.ports.enumerated() { ports[worker].append(port) }
            guard let port = opened.ports.first else { continue }
            choices.append("\(interface): \(port.kind.name) (\(opened.reason)); \(port.details)")
        }
        return (ports, choices)
    }

    /// Have the kernel keep the host's stack silent on the interfaces whose ports leave it a copy.
    private static func guardHost(_ ports: [any InterfacePort], _ logger: Logger) -> Guard? {
        let names = ports.filter { !$0.keepsFramesFromHost }.map(\.name)
        guard !names.isEmpty else { return nil }
        do {
            return try Guard(interfaces: names)
        } catch {
            logger.warning("no guard, so addresses of the host itself should not be virtual: \(error)")
            return nil
        }
    }

    // MARK: Rules

    /// Lend the rules to a command.
    private func withTable(_ body: (any RuleTable) -> TableAnswer) -> TableAnswer {
        rules.withLock { _ in
            engine.advance(milliseconds: Worker.milliseconds)
            return body(engine)
        }
    }

    private var keeper: RuleKeeper? { keeping.withLock { $0 } }

    /// The rules to start with: a file's, or else those that were in force last.
    private func loadRules(_ options: Fairlead.Run, _ file: ConfigurationFile?) throws {
        let folder = try options.state.map { try StateFolder($0 == "auto" ? StateFolder.defaultPath() : $0) }
        let keeper = RuleKeeper(self, folder: folder)
        keeping.withLock { $0 = keeper }
        if let file, let path = options.config {
            try keeper.start(file)
            keeper.begin(origin: "run --config \(path)")
        } else if let path = options.rules {
            try engine.changeRules { () throws in try load(path) }
            keeper.begin(origin: "run --rules \(path)")
        } else {
            for line in try keeper.restore() ?? [] { logger.notice("\(line)") }
            keeper.begin(origin: "run")
        }
    }

    /// Lend the rules to a command, and log what it moved in the tables of hashing schedulers.
    private func changeTable(_ body: (any RuleTable) -> TableAnswer) -> TableAnswer {
        withTable { table in
            let answer = body(table)
            for (service, disruption) in engine.takeTableDisruptions() {
                logger.notice("\(disruption.line(service))")
            }
            return answer
        }
    }

    private func load(_ path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure("cannot read the rules in \(path); check --rules")
        }
        for (number, line) in String(decoding: data, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false
        ).enumerated() {
            let text = line.trimmingCharacters(in: .whitespaces)
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            let words = text.split(separator: " ").map(String.init)
            let result =
                words.first == "mark"
                ? mark(Array(words.dropFirst()))
                : CommandExecutor(resolver: SystemResolver()).execute(
                    ["-R"], standardInput: text + "\n", withTable: withTable)
            guard result.status == 0, result.standardError.isEmpty else {
                let reason = result.standardError.trimmingCharacters(in: .whitespacesAndNewlines)
                throw Failure("\(path) line \(number + 1) `\(text)`: \(reason)")
            }
        }
    }

    /// Carry out `fairlead mark WORDS`.
    private func mark(_ words: [String]) -> CommandResult {
        let names = monitor.snapshot.interfaces.map(\.name)
        return rules.withLock { _ in MarkCommand.run(words, on: engine, interfaces: names) }
    }

    /// Have ports, guard and resolver follow the rules, if they changed. In the order that loses nothing: first the
    /// packets come to us, then they are kept from the host.
    private func ownTraffic(announces: Bool = true) throws {
        try rules.withLock { known in
            guard known.revision != engine.revision else { return }
            if let changed = engine.takeChangedServices(), known.revision != nil,
                engine.ruleCount > FollowedRules.few, try include(changed.union(known.added))
            {
                known.added.formUnion(changed)
                known.revision = engine.revision
                return
            }
            let traffic = ownedTraffic()
            try own(traffic, SocketFilter(traffic, leaving: PacketSocket.roomForMore), &known)
        }
    }

    private func ownedTraffic(of keys: Set<ServiceKey>? = nil) -> OwnedTraffic {
        let snapshot = routing.snapshot
        return engine.ownedTraffic(of: keys, isHostAddress: { snapshot.isLocal($0) })
    }

    /// Own exactly this traffic.
    private func own(_ traffic: OwnedTraffic, _ filter: SocketFilter, _ known: inout FollowedRules) throws {
        let hostAddresses = routing.snapshot.hostAddresses
        for port in ports.joined() { try port.own(traffic, filter: filter, hostAddresses: hostAddresses) }
        try hostGuard?.update(GuardedTraffic(traffic, hostAddresses: hostAddresses))
        try localClients?.follow(traffic, engine, isAll: true)
        resolver.keepFresh(Set(traffic.servers.map(\.address) + traffic.errorsAbout + engine.directAddresses))
        known = FollowedRules(revision: engine.revision, departed: engine.departedTraffic)
        workers[0].announce(traffic.arpFor + traffic.ndFor)
    }

    /// Own the traffic of these services too, which costs what these services cost and not what all do.
    /// - Returns: false when there is no room for that.
    private func include(_ keys: Set<ServiceKey>) throws -> Bool {
        let traffic = ownedTraffic(of: keys)
        for port in ports.joined() where try !port.include(traffic) { return false }
        try hostGuard?.include(GuardedTraffic(traffic, hostAddresses: routing.snapshot.hostAddresses))
        try localClients?.follow(traffic, engine, isAll: false)
        resolver.keepFresh(
            adding: Set(traffic.servers.map(\.address) + traffic.errorsAbout + engine.directAddresses(of: keys)))
        workers[0].announce(traffic.arpFor + traffic.ndFor)
        return true
    }

    /// Own exactly what the rules say, where `include` left more, or connections of deleted real servers have ended. The filter is made while others may use the rules.
    private func tighten() throws {
        let (revision, traffic) = rules.withLock { known in
            let isExact = known.added.isEmpty && known.departed == engine.departedTraffic
            return (engine.revision, isExact ? nil : ownedTraffic())
        }
        guard let traffic else { return }
        let filter = SocketFilter(traffic, leaving: PacketSocket.roomForMore)
        try rules.withLock { known in
            // After another change there will be another turn.
            guard engine.revision == revision, known.revision == revision else { return }
            _ = engine.takeChangedServices()
            try own(traffic, filter, &known)
        }
    }

    /// The host's routes, addresses or neighbours changed.
    private func follow(_ snapshot: RoutingSnapshot) {
        let before = routing.snapshot
        routing.publish(snapshot)
        for worker in workers { worker.wake() }
        do {
            try hostGuard?.follow(snapshot.interfaces)
            if before.hostAddresses != snapshot.hostAddresses {
                try rules.withLock {
                    $0 = FollowedRules()
                    if localClients != nil { try LocalClientPart.lend(snapshot.hostAddresses, of: engine) }
                }
                try ownTraffic()
            }
        } catch {
            logger.error("cannot follow a change of the host's network: \(error)")
        }
    }

    // MARK: Running

    func run() async throws {
        try monitor.start(
            onFailure: { [logger] in logger.error("cannot read the host's network: \($0)") },
            onChange: { [weak self] in self?.follow($0) })
        defer {
            for worker in workers { worker.stop() }
            monitor.stop()
            hostGuard?.close()
        }
        for worker in workers {
            worker.setHostForwards(Host.forwards)
            try worker.start()
        }
        let server = ControlServer(path: socketPath, handlers: handlers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await cancelWhenGracefulShutdown { await self.keepTime() }
            }
            group.addTask {
                try await cancelWhenGracefulShutdown {
                    try await server.run(ready: {
                        [socketPath = self.socketPath, choices = self.choices, logger = self.logger] in
                        for choice in choices { logger.notice("\(choice)") }
                        Host.announceReady("fairlead: ready, control socket \(socketPath)")
                    })
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Fold counters, let deleted destinations go, and look at the host's switches.
    private func keepTime() async {
        let clock = ContinuousClock()
        var turn = 0
        var nextTightening = clock.now
        defer { keeper?.saveIfChanged() }
        while !Task.isCancelled {
            rules.withLock { _ in engine.advance(milliseconds: Worker.milliseconds) }
            for worker in workers { worker.setHostForwards(Host.forwards) }
            turn += 1
            if clock.now >= nextTightening {
                let duration = clock.measure(tightenOrSay)
                nextTightening = clock.now + max(.seconds(1), duration * FollowedRules.rest)
            }
            // Once a second: many changes in a row are saved together.
            if turn % 4 == 0, let problem = keeper?.saveIfChanged() { logger.error("\(problem)") }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    private func tightenOrSay() {
        do {
            try tighten()
        } catch {
            logger.error("traffic of deleted rules is still taken: \(error)")
        }
    }

    private var handlers: [String: ControlServer.Handler] {
        let commands = ControlServer.commandHandler(
            CommandExecutor(resolver: SystemResolver(), savesThresholds: true),
            withTable: { [self] in changeTable($0) })
        let own: [String: ControlServer.Handler] = [
            CommandRequest.route: { [self] body in
                let reply = await commands(body)
                do {
                    try ownTraffic()
                } catch {
                    logger.error("a change of the rules is not in force everywhere: \(error)")
                }
                return reply
            },
            MarkRequest.route: { [self] body in
                let reply = MarkRequest.answer(body, mark)
                do {
                    try ownTraffic()
                } catch {
                    logger.error("a change of the marks is not in force everywhere: \(error)")
                }
                return reply
            },
            SyncRequest.route: { [self] body in
                let reply = rules.withLock { _ in
                    engine.advance(milliseconds: Worker.milliseconds)
                    return kubernetes.answer(body, engine) { _ = try Settings.apply($0, to: engine) }
                }
                do {
                    try ownTraffic()
                } catch {
                    logger.error("a change of the rules is not in force everywhere: \(error)")
                }
                return reply.encoded
            },
            ExplainRequest.route: { [workers] body in await ExplainRequest.answer(body, workers) },
            StatusReport.route: { [self] _ in
                rules.withLock { _ in StatusReport(engine, workers, ports, localClients?.port) }.encoded
            },
            DrainRequest.route: { [self] body in
                let reply = rules.withLock { _ in
                    engine.advance(milliseconds: Worker.milliseconds)
                    return DrainRequest.answer(body, engine, resolver: SystemResolver())
                }
                do {
                    try ownTraffic()
                } catch {
                    logger.error("a change of the rules is not in force everywhere: \(error)")
                }
                return reply
            },
            SysctlRequest.route: { [self] body in rules.withLock { _ in SysctlRequest.answer(body, engine) } },
        ]
        return own.merging(keeper?.handlers ?? [:]) { own, _ in own }
    }
}

extension Daemon: RuleAccess {
    func withEngine<Value: Sendable>(_ body: (Engine) -> Value) -> Value {
        rules.withLock { _ in
            engine.advance(milliseconds: Worker.milliseconds)
            return body(engine)
        }
    }

    func followRules() throws { try ownTraffic() }
}
