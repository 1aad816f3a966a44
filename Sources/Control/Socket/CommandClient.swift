public import Foundation

/// `fairlead ipvsadm`: one invocation, carried to the daemon and back.
public struct CommandClient: Sendable {
    private let place: ControlSocketPath

    /// `place` is where the daemon is looked for.
    public init(place: ControlSocketPath = ControlSocketPath()) {
        self.place = place
    }

    /// Run one invocation. `readInput` is called only for a command that reads standard input.
    public func run(_ arguments: [String], program: String = "ipvsadm", readInput: () -> Data) -> CommandResult {
        var scanner = OptionScanner(arguments)
        var input = ""
        if case .option(let option, _) = scanner.nextOption() {
            switch option.meaning {
            case .help: return CommandResult(standardOutput: HelpText.help)
            case .version: return CommandResult(standardOutput: HelpText.version)
            case .command(.restore): input = String(decoding: readInput(), as: UTF8.self)
            case .command, .parameter, .sort, .ipv6: break
            }
        }
        let request = CommandRequest(program: program, arguments: arguments, standardInput: input)
        do {
            let reply = try ControlClient(path: place.forClient()).send(
                try JSONEncoder().encode(request), to: CommandRequest.route)
            return try JSONDecoder().decode(CommandResult.self, from: reply)
        } catch let error as ControlError {
            return CommandResult(failure: "\(program): \(error)", status: 2)
        } catch {
            return CommandResult(failure: "\(program): Fairlead's answer cannot be read", status: 2)
        }
    }
}
