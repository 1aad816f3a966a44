import Control
import Foundation
import Wire

/// A command as it was typed at the real ipvsadm on a 6.1 kernel, and what came of it.
struct RecordedCommand: Decodable, CustomStringConvertible {
    var argv: [String]
    var rc: Int
    var stdout: String
    var stderr: String
    var stdin: String?

    var description: String { argv.joined(separator: " ") }

    /// What a result must be; services and servers that were asked for unsorted come in any order.
    func matches(_ result: CommandResult) -> Bool {
        Int(result.status) == rc && comparable(result.standardError) == comparable(stderr)
            && comparable(result.standardOutput) == comparable(stdout)
    }

    private func comparable(_ text: String) -> [String] {
        let lines = text.components(separatedBy: "\n")
        return argv.contains("--nosort") || argv.contains(where: { $0.hasPrefix("-L") && $0.contains("c") })
            ? lines.sorted() : lines
    }

    /// As `matches`, the order of services left out: with three and more addresses it depends on the kernel's hash
    /// table, since the comparison is not transitive.
    func matchesButForServiceOrder(_ result: CommandResult) -> Bool {
        var (mine, recorded) = (self, self)
        mine.stdout = Self.blocks(result.standardOutput).joined()
        recorded.stdout = Self.blocks(stdout).joined()
        var sorted = result
        sorted.standardOutput = mine.stdout
        return recorded.matches(sorted)
    }

    /// Each service with its servers, sorted; titles first.
    private static func blocks(_ text: String) -> [String] {
        var titles: [String] = []
        var blocks: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let isServer = line.hasPrefix("  ->") || line.hasPrefix("-a ")
            let isService = ["TCP ", "UDP ", "SCTP ", "FWM ", "-A "].contains { line.hasPrefix($0) }
            if isService {
                blocks.append(line + "\n")
            } else if isServer, !blocks.isEmpty {
                blocks[blocks.count - 1] += line + "\n"
            } else {
                titles.append(line + "\n")
            }
        }
        return titles + blocks.sorted()
    }
}

/// One step of a recording's `order.json`, as far as the control side is concerned.
struct RecordedStep: Decodable {
    var n: Int
    var op: String
    var cmd: String?
    var rc: Int?
    var stdout: String?
    var stderr: String?
    var stdin: String?

    /// The ipvsadm command of the step; a restore through a shell counts too.
    var command: RecordedCommand? {
        guard op == "cmd", let cmd, let rc, let stdout, let stderr else { return nil }
        if let stdin {
            return RecordedCommand(
                argv: ["/usr/sbin/ipvsadm", "-R"], rc: rc, stdout: stdout, stderr: stderr, stdin: stdin)
        }
        let argv = cmd.split(separator: " ").map(String.init)
        guard argv.first == "ipvsadm" else { return nil }
        return RecordedCommand(argv: argv, rc: rc, stdout: stdout, stderr: stderr)
    }
}

/// The project's own copies of recordings.
enum Vectors {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Vectors")

    static func steps(_ name: String) throws -> [RecordedStep] {
        let data = try Data(contentsOf: folder.appending(path: name).appending(path: "order.json"))
        return try JSONDecoder().decode([RecordedStep].self, from: data)
    }

    static func list(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name).appending(path: "list.txt"), encoding: .utf8)
    }

    /// Recordings with listings.
    static var names: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
        return names.filter {
            FileManager.default.fileExists(atPath: folder.appending(path: $0).appending(path: "list.txt").path())
        }.sorted()
    }
}

extension CommandExecutor {
    /// With the names of the recorded kernel's guest.
    static let recorded = CommandExecutor(
        resolver: FixedResolver(
            hosts: ["localhost": IPAddress(v4: 0x7f00_0001)],
            tcp: [
                "tcpmux": 1, "echo": 7, "domain": 53, "http": 80, "iso-tsap": 102, "poppassd": 106, "http-alt": 8080,
            ], udp: ["domain": 53, "ntp": 123]))

    /// Run a recorded command.
    func run(_ command: RecordedCommand, on table: any RuleTable) -> CommandResult {
        execute(
            Array(command.argv.dropFirst()), program: command.argv.first ?? "ipvsadm",
            standardInput: command.stdin ?? "", on: table)
    }
}
