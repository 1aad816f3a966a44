import Balancer
import Control
import Dataplane
import Wire

/// The director's shell in a recording: `ipvsadm`, and the few other commands that change what packets meet.
final class CommandRunner {
    private let session: Session
    private let executor: CommandExecutor

    init(_ session: Session) {
        self.session = session
        executor = CommandExecutor(resolver: FixedResolver.wellKnown)
    }

    /// Run a command line with what it reads from standard input.
    /// - Returns: what `ipvsadm` answered; nil for other commands.
    func run(_ line: String, input: String = "") throws -> CommandResult? {
        var words = Self.split(line)[...]
        if words.first == "busybox" { words.removeFirst() }
        switch words.first {
        case "ipvsadm":
            return ipvsadm(Array(words.dropFirst()), input: input)
        case "sh" where words.last?.contains("ipvsadm -R <") == true:
            _ = ipvsadm(["-R"], input: input)
        case "sysctl":
            for word in words.dropFirst() where word.contains("=") {
                let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
                session.set(parts[0], parts.count > 1 ? parts[1] : "")
            }
        case "ip" where words.dropFirst().starts(with: ["route", "add"]):
            try session.add(route: words.dropFirst(3).joined(separator: " "))
        case "nft" where words.dropFirst().starts(with: ["add", "rule"]):
            try mark(Array(words.dropFirst(3)), line)
        case "mark":
            let names = session.topology.interfaces.map(\.name)
            return MarkCommand.run(Array(words.dropFirst()), on: session.engine, interfaces: names)
        default:
            break
        }
        return nil
    }

    /// Run `ipvsadm` with these arguments.
    func ipvsadm(_ arguments: [String], input: String = "") -> CommandResult {
        executor.execute(arguments, standardInput: input, on: session.engine)
    }

    /// `… ip daddr PREFIX meta mark set N`.
    private func mark(_ words: [String], _ line: String) throws {
        guard let address = words.firstIndex(of: "daddr"), words.indices.contains(address + 1),
            let set = words.firstIndex(of: "set"), words.indices.contains(set + 1)
        else { return }
        let parts = words[address + 1].split(separator: "/", maxSplits: 1).map(String.init)
        guard let prefix = IPAddress(parts[0]), let mark = UInt32(words[set + 1]) else {
            throw ReplayError("`\(line)`: not of the form ip daddr PREFIX meta mark set N")
        }
        let length = parts.count > 1 ? Int(parts[1]) ?? prefix.family.bits : prefix.family.bits
        try session.mark(MarkRule(destination: prefix.masked(length), destinationLength: length, mark: mark))
    }

    /// Words as a shell splits them: blanks, double and single quotes, backslashes.
    static func split(_ line: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }
}
