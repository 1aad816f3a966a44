import Balancer
import Wire

/// Understands one invocation of ipvsadm 1.31: the same words give the same effect, message and exit status.
///
/// A value wrong in itself is reported where it stands, before what follows is looked at; what options say about each
/// other is checked at the end, in ipvsadm's order.
public struct CommandParser: Sendable {
    private let program: String
    private let resolver: any NameResolver

    /// `program` is what the command was called as, which one message repeats.
    public init(program: String, resolver: any NameResolver) {
        self.program = program
        self.resolver = resolver
    }

    /// Understand a command line, the program's name left out. An empty one lists every service.
    public func parse(_ arguments: [String]) throws(UsageError) -> Command {
        guard !arguments.isEmpty else { return .list(ListRequest()) }
        var scanner = OptionScanner(arguments)
        var draft = CommandDraft(resolver: resolver)
        let name: CommandName
        switch scanner.nextOption() {
        case .option(let option, let value):
            switch option.meaning {
            case .command(let command):
                name = command
                if command.isOfLocalAddresses { try checkLetter(command, scanner) }
                scanner.command = command
                try draft.takeCommand(command, value: value)
            case .help: return .help
            case .version: return .version
            case .parameter, .sort, .ipv6: throw .tryHelp(program)
            }
        case .failure, .end: throw .tryHelp(program)
        }
        scanning: while true {
            switch scanner.nextOption() {
            case .option(let option, let value):
                try draft.take(option, value: value, written: scanner.current)
            case .failure(let written, let reason):
                throw .badOption(written, reason)
            case .end: break scanning
            }
        }
        var timeouts = Timeouts()
        if name == .setTimeouts { timeouts = try Self.timeouts(&scanner) }
        if let extra = scanner.takeLeftover() { throw UsageError("unexpected argument \(extra)") }
        return try draft.finish(name, timeouts: timeouts)
    }

    /// `-P`, `-Q` and `-G` are no commands of ipvsadm 1.31: unless the rest is what DPVS wants with them, they are refused
    /// in its words.
    private func checkLetter(_ command: CommandName, _ scanner: OptionScanner) throws(UsageError) {
        guard !scanner.current.hasPrefix("--") else { return }
        var scanner = scanner
        scanner.command = command
        var missing: Set<Parameter> =
            command == .listLocalAddresses ? [.serviceAddress] : [.serviceAddress, .localAddress]
        while case .option(let option, _) = scanner.nextOption() {
            if case .parameter(let parameter) = option.meaning { missing.remove(parameter) }
        }
        guard missing.isEmpty else { throw .tryHelp(program) }
    }

    private static func timeouts(_ scanner: inout OptionScanner) throws(UsageError) -> Timeouts {
        guard let tcp = scanner.takeLeftover(), let tcpFin = scanner.takeLeftover(), let udp = scanner.takeLeftover()
        else { throw UsageError("--set option requires 3 timeout values") }
        return Timeouts(
            tcp: try CommandDraft.timeout(tcp, minimum: 0), tcpFin: try CommandDraft.timeout(tcpFin, minimum: 0),
            udp: try CommandDraft.timeout(udp, minimum: 0))
    }
}
