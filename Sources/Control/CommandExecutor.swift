import Balancer

/// Runs invocations of ipvsadm against a table of rules. Any thread.
///
/// Words are understood and names looked up outside the table's lock, which is taken once an invocation (`-R`: once for
/// many lines, whose changes come into force together) and only for the change or for a copy of what is to be listed.
public struct CommandExecutor: Sendable {
    /// Lends the table, under whatever lock it has.
    public typealias TableAccess = (_ body: (any RuleTable) -> TableAnswer) -> TableAnswer

    private let resolver: any NameResolver
    private let savesThresholds: Bool

    /// `savesThresholds`: `-S` writes `-x` and `-y` unasked, which the kernel's tool does not.
    public init(resolver: any NameResolver, savesThresholds: Bool = false) {
        self.resolver = resolver
        self.savesThresholds = savesThresholds
    }

    /// Run one invocation; `program` is what it was called as, `arguments` what followed.
    public func execute(
        _ arguments: [String], program: String = "ipvsadm", standardInput: String = "", withTable: TableAccess
    ) -> CommandResult {
        let parser = CommandParser(program: program, resolver: resolver)
        do throws(UsageError) {
            let command = try parser.parse(arguments)
            guard command == .restore else { return run(command, withTable).result }
            return restore(standardInput, program: program, parser: parser, withTable)
        } catch {
            return CommandResult(failure: error.message, status: error.status)
        }
    }

    /// As above, for a table that only the caller uses.
    public func execute(
        _ arguments: [String], program: String = "ipvsadm", standardInput: String = "", on table: any RuleTable
    ) -> CommandResult {
        execute(arguments, program: program, standardInput: standardInput) { body in body(table) }
    }

    /// Each line is one invocation, split at blanks; a leading `ipvsadm` is skipped, an empty line too. What a table
    /// refuses is reported and the next line tried; what is not understood ends it. The status is the last line's.
    private func restore(
        _ text: String, program: String, parser: CommandParser, _ withTable: TableAccess
    ) -> CommandResult {
        var total = CommandResult()
        var waiting: [Command] = []
        /// Carry out what waits; false when one of it ends everything.
        func carryOut() -> Bool {
            defer { waiting = [] }
            return !steps(waiting, withTable).contains { step in
                total.add(step.result)
                return step.isLast
            }
        }
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == 0x20 || (0x09...0x0d).contains($0) }.map { String(Substring($0)) }
            let arguments = Array(words.drop { $0 == "ipvsadm" })
            guard !arguments.isEmpty else { continue }
            do throws(UsageError) {
                let command = try parser.parse(arguments)
                guard command != .restore else { throw UsageError.tryHelp(program) }
                waiting.append(command)
                if waiting.count >= Self.linesTogether, !carryOut() { return total }
            } catch {
                guard carryOut() else { return total }
                total.add(CommandResult(failure: error.message, status: error.status))
                if error.endsRestore { return total }
            }
        }
        _ = carryOut()
        return total
    }

    /// Lines of `-R` that are carried out under one lock.
    private static let linesTogether = 1000

    /// Carry commands out in turn, up to one that ends the program.
    private func steps(_ commands: [Command], _ withTable: TableAccess) -> [Step] {
        guard commands.count > 1 else { return commands.map { run($0, withTable) } }
        let answer = withTable { TableAnswer(commands, from: $0) }
        guard case .several(let answers) = answer.content else { return [] }
        return zip(commands, answers).map { step($0, $1) }
    }

    /// How one invocation ended, and whether the program would have ended with it.
    private struct Step {
        var result: CommandResult
        var isLast = false
    }

    private func run(_ command: Command, _ withTable: TableAccess) -> Step {
        switch command {
        case .help, .version: step(command, TableAnswer(.done))
        default: step(command, withTable { TableAnswer(command, from: $0) })
        }
    }

    /// What a table's answer to a command means.
    private func step(_ command: Command, _ answer: TableAnswer) -> Step {
        switch command {
        case .help: return Step(result: CommandResult(standardOutput: HelpText.help), isLast: true)
        case .version: return Step(result: CommandResult(standardOutput: HelpText.version), isLast: true)
        default: break
        }
        switch answer.content {
        case .several: return Step(result: CommandResult())
        case .done: return Step(result: CommandResult())
        case .failed(let message): return Step(result: CommandResult(failure: message))
        case .unusable(let message): return Step(result: CommandResult(failure: message, status: 2), isLast: true)
        case .nothingToList(let message):
            return Step(result: CommandResult(failure: message, status: 1), isLast: true)
        case .services(let services, let size):
            return Step(result: CommandResult(standardOutput: text(command, services, size)))
        case .connections(let connections):
            guard case .list(let request) = command else { return Step(result: CommandResult()) }
            let text = ConnectionListing.lines(connections, request, resolver: resolver)
            return Step(result: CommandResult(standardOutput: text))
        case .timeouts(let timeouts):
            let text = "Timeout (tcp tcpfin udp): \(timeouts.tcp) \(timeouts.tcpFin) \(timeouts.udp)\n"
            return Step(result: CommandResult(standardOutput: text))
        }
    }

    private func text(_ command: Command, _ services: [ServiceStatus], _ size: Int?) -> String {
        switch command {
        case .list(let request):
            var listing = ServiceListing(request, resolver: resolver)
            let version = size.map(ServiceListing.versionLine) ?? ""
            return version + listing.lines(services)
        case .save(var request):
            request.includesThresholds = request.includesThresholds || savesThresholds
            var saved = SavedRules(request, resolver: resolver)
            return saved.lines(services)
        case .listLocalAddresses: return LocalAddressListing.lines(services)
        default: return ""
        }
    }
}
