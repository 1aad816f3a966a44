import Foundation
import Glibc
import TestSupport

/// A network of namespaces made by `scripts/lab`: client, director and servers, of which each runs a web server.
final class Lab: Sendable {
    static let client = "198.18.1.10"
    static let virtual = "198.18.10.80"
    static func server(_ number: Int) -> String { "198.18.2.\(10 + number)" }

    /// Three web servers on one service, one of them behind another port, and echo over UDP on another port.
    static let rules =
        "-A -t \(virtual):80 -s rr\n" + (1...3).map { "-a -t \(virtual):80 -r \(server($0)):80 -m\n" }.joined()
        + "-A -t \(virtual):8083 -s rr\n-a -t \(virtual):8083 -r \(server(3)):80 -m\n"
        + "-A -u \(virtual):7 -s rr\n"
        + (1...2).map { "-a -u \(virtual):7 -r \(server($0)):7777 -m\n" }.joined()

    /// Whether a lab can be made here, by the user who runs the tests.
    static let isPossible = Privileges.canMakeNamespaces || Privileges.canMakeUserNamespaces
    static let reason = "needs network namespaces: root, or a kernel that allows user namespaces"

    /// Whether the user who runs the tests may make TUN devices in a lab, as `fairlead decap` does.
    static let canMakeTunDevices = isPossible && access("/dev/net/tun", R_OK | W_OK) == 0
    static let tunReason = "needs /dev/net/tun: the kernel's tun module, and permission to open it"

    let name: String
    /// Where logs and rules of this lab go.
    let directory: String
    /// Words before each command that make it run as somebody else.
    private let prefix: [String]
    private let environment: [String: String]

    private static let script = Program.root + "/scripts/lab"

    private init(name: String, prefix: [String]) throws {
        self.name = name
        self.prefix = prefix
        directory = "/tmp/fairlead-\(name)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if prefix.isEmpty {
            environment = ["FAIRLEAD_BINARY": Program.path]
        } else {
            chmod(directory, 0o777)
            environment = ["FAIRLEAD_LAB_STATES": directory + "/labs", "TMPDIR": directory, "HOME": directory]
        }
    }

    /// Make a lab, run `body` in it, and remove it again, whatever becomes of `body`.
    ///
    /// - Parameters:
    ///   - options: more of `scripts/lab up`'s, such as the forwarding method the servers are prepared for.
    ///   - forwards: whether the director's host forwards packets.
    ///   - prefix: words before each command that make it run as somebody else.
    static func with(
        _ options: [String] = [], forwards: Bool = false, webServers: Bool = true, prefix: [String] = [],
        _ body: (Lab) async throws -> Void
    ) async throws {
        let lab = try Lab(name: "t\(getpid())-\(UInt32.random(in: .min ... .max))", prefix: prefix)
        defer { try? FileManager.default.removeItem(atPath: lab.directory) }
        let made = try await lab.script(
            ["up", "--name", lab.name, "--servers", "3"] + options + (forwards ? ["--forward"] : []))
        guard made.status == 0 else { throw LabFailure("scripts/lab up: \(made)") }
        do {
            if webServers { try await lab.startWebServers() }
            try await body(lab)
        } catch {
            _ = try await lab.script(["down", "--name", lab.name])
            throw error
        }
        let removed = try await lab.script(["down", "--name", lab.name])
        guard removed.status == 0 else { throw LabFailure("scripts/lab down: \(removed)") }
    }

    private func script(_ words: [String]) async throws -> Outcome {
        try await runProgram(prefix + [Self.script] + words, environment: environment)
    }

    /// Run a program at `place` to its end.
    func run(_ place: String, _ words: [String], input: String = "", seconds: Int = 60) async throws -> Outcome {
        try await runProgram(
            prefix + [Self.script, "exec", "--name", name, place] + words, input: input, environment: environment,
            seconds: seconds)
    }

    /// Run a program at `place`; throws unless it succeeds.
    @discardableResult
    func must(_ place: String, _ line: String) async throws -> String {
        let outcome = try await run(place, line.split(separator: " ").map(String.init))
        guard outcome.status == 0 else { throw LabFailure("\(line): \(outcome)") }
        return outcome.output
    }

    /// Start a program at `place` and leave it running; the lab's end ends it.
    func start(_ place: String, _ words: [String], environment more: [String: String] = [:]) async throws
        -> RunningProgram
    {
        try await RunningProgram(
            prefix + [Self.script, "exec", "--name", name, place] + words,
            environment: environment.merging(more) { $1 }, log: file("log\(UInt32.random(in: .min ... .max))"))
    }

    /// The path of a file of this lab.
    func file(_ name: String) -> String { directory + "/" + name }

    /// Write a file of this lab.
    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: file(name), atomically: true, encoding: .utf8)
        return file(name)
    }

    private func startWebServers() async throws {
        for number in 1...3 { try await startWebServer("server\(number)", port: 80) }
    }

    /// Start a web server that answers `place`, and an echo over UDP.
    @discardableResult
    func startWebServer(_ place: String, port: Int) async throws -> RunningProgram {
        let server = try await start(
            place, ["python3", "-c", Scripts.server, place, "\(port)", "\(Scripts.bulkLength)"])
        guard try await server.writes("listening") else { throw LabFailure("\(place): \(server.text)") }
        return server
    }

    /// A counter of the kernel at `place`, as `nstat` names it, since the namespace was made.
    func counter(_ name: String, at place: String) async throws -> Int {
        let outcome = try await run(place, ["nstat", "-asz", name])
        let words = outcome.lines.first { $0.hasPrefix(name + " ") }?.split(separator: " ") ?? []
        guard words.count > 1, let value = Int(words[1]) else { throw LabFailure("nstat \(name): \(outcome)") }
        return value
    }

    /// The answers to `count` requests for `path`, each on a connection of its own.
    func fetch(_ count: Int = 1, port: Int = 80, from place: String = "client", _ address: String = virtual)
        async throws -> Outcome
    {
        try await run(
            place,
            ["curl", "-sS", "--max-time", "20", "-H", "Connection: close", "http://\(address):\(port)/?[1-\(count)]"])
    }

    /// Send a datagram from the client and wait for the answer: `answer TEXT`, or `error ERRNO`.
    func exchange(_ text: String, port: Int, address: String = virtual) async throws -> String {
        try await run("client", ["python3", "-c", Scripts.exchange, address, "\(port)", text]).output
            .trimmingCharacters(in: .newlines)
    }

    /// Connect from the client: `connected`, or `error ERRNO`.
    func connect(port: Int, address: String = virtual) async throws -> String {
        try await run("client", ["python3", "-c", Scripts.connect, address, "\(port)"]).output
            .trimmingCharacters(in: .newlines)
    }
}
