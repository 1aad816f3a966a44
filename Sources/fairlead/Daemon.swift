import Balancer
import Control
import Dataplane
import Foundation
import Logging
import Netlink
import PacketIO
import ServiceLifecycle
import Synchronization
import Wire

/// The daemon: engine, worker, ports, routes, guard and control socket, put together.
final class Daemon: Service {
    let logger: Logger
    private let engine: Engine
    private let routing: RoutingPublication
    private let monitor: RoutingMonitor
    private let ports: [PacketSocket]
    private let worker: Worker
    private let resolver: MonitorResolver
    private let hostGuard: Guard?
    private let socketPath: String
    /// Held while the rules are changed or listed; what it holds is the revision that ports and guard know.
    private let rules = Mutex<UInt64?>(nil)

    init(_ options: Fairlead.Run) throws {
        var logger = Logger(label: "fairlead")
        logger.logLevel = .notice
        self.logger = logger
        socketPath = try ControlSocketPath(option: options.control).forServer()
        monitor = try RoutingMonitor(interfaces: options.interface)
        ports = try options.interface.map { try PacketSocket(interface: $0) }
        engine = Engine(
            EngineConfiguration(
                entries: options.connections,
                secret: HashSecret(.random(in: .min ... .max), .random(in: .min ... .max)),
                memory: .mapped))
        routing = RoutingPublication(monitor.snapshot, table: engine.table)
        resolver = MonitorResolver(monitor)
        do {
            hostGuard = try Guard(interfaces: options.interface)
        } catch {
            logger.warning("no guard, so addresses of the host itself should not be virtual: \(error)")
            hostGuard = nil
        }
        worker = Worker(
            WorkerConfiguration(
                number: 0, processor: options.processor, seed: .random(in: .min ... .max), isGuarded: hostGuard != nil),
            engine: engine, routing: routing, ports: ports, resolver: resolver)
        engine.network = { [routing] in routing.snapshot }
        for setting in options.sysctl { _ = try Settings.apply(setting, to: engine) }
        engine.advance(milliseconds: Worker.milliseconds)
        if let path = options.rules { try load(path) }
        try ownTraffic(announces: false)
    }

    // MARK: Rules

    /// Lend the rules to a command.
    private func withTable(_ body: (any RuleTable) -> TableAnswer) -> TableAnswer {
        rules.withLock { _ in
            engine.advance(milliseconds: Worker.milliseconds)
            return body(engine)
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
            guard known != engine.revision else { return }
            let snapshot = routing.snapshot
            let traffic = engine.ownedTraffic(isHostAddress: { snapshot.isLocal($0) })
            for port in ports { _ = try port.own(traffic) }
            try hostGuard?.update(GuardedTraffic(traffic, hostAddresses: snapshot.hostAddresses))
            resolver.keepFresh(Set(traffic.servers.map(\.address) + traffic.errorsAbout + engine.directAddresses))
            known = engine.revision
            worker.announce(traffic.arpFor + traffic.ndFor)
        }
    }

    /// The host's routes, addresses or neighbours changed.
    private func follow(_ snapshot: RoutingSnapshot) {
        let before = routing.snapshot
        routing.publish(snapshot)
        worker.wake()
        do {
            try hostGuard?.follow(snapshot.interfaces)
            if before.hostAddresses != snapshot.hostAddresses {
                rules.withLock { $0 = nil }
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
        worker.setHostForwards(Host.forwards)
        worker.start()
        defer {
            worker.stop()
            monitor.stop()
            hostGuard?.close()
        }
        let server = ControlServer(path: socketPath, handlers: handlers)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await cancelWhenGracefulShutdown { await self.keepTime() }
            }
            group.addTask {
                try await cancelWhenGracefulShutdown {
                    try await server.run(ready: { [socketPath = self.socketPath] in Host.announceReady(socketPath) })
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Fold counters, let deleted destinations go, and look at the host's switches.
    private func keepTime() async {
        while !Task.isCancelled {
            rules.withLock { _ in engine.advance(milliseconds: Worker.milliseconds) }
            worker.setHostForwards(Host.forwards)
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    private var handlers: [String: ControlServer.Handler] {
        let commands = ControlServer.commandHandler(
            CommandExecutor(resolver: SystemResolver(), savesThresholds: true), withTable: { [self] in withTable($0) })
        return [
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
            ExplainRequest.route: { [worker] body in await ExplainRequest.answer(body, worker) },
            StatusReport.route: { [self] _ in StatusReport(engine, worker, ports).encoded },
            SysctlRequest.route: { [self] body in rules.withLock { _ in SysctlRequest.answer(body, engine) } },
        ]
    }
}
