import Foundation
import Glibc

/// Network namespaces of one test, for networks that `scripts/lab` does not make. Names on this machine hold the process's
/// number.
final class Namespaces: Sendable {
    /// Where logs and files of this test go.
    let directory: String
    private let prefix: String
    private let places: [String]

    private init(_ places: [String]) throws {
        prefix = "fl-t\(getpid())-\(UInt32.random(in: .min ... .max))-"
        self.places = places
        directory = "/tmp/\(prefix)files"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    /// Make namespaces with their loopback up, run `body`, and remove them with all that runs there, whatever becomes of
    /// `body`.
    static func with(_ places: String..., body: (Namespaces) async throws -> Void) async throws {
        let made = try Namespaces(places)
        let result: Result<Void, any Error>
        do {
            for place in places {
                try await made.must(["ip", "netns", "add", made.prefix + place])
                try await made.ip(place, "link set lo up")
            }
            result = .success(try await body(made))
        } catch {
            result = .failure(error)
        }
        try await made.remove()
        try result.get()
    }

    private func remove() async throws {
        for number in [SIGTERM, SIGKILL] {
            _ = try await eventually(within: 5) {
                let left = try await processes()
                for process in left { kill(process, number) }
                return left.isEmpty
            }
        }
        for place in places { _ = try await runProgram(["ip", "netns", "delete", prefix + place]) }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func processes() async throws -> [pid_t] {
        var found: [pid_t] = []
        for place in places {
            found += try await runProgram(["ip", "netns", "pids", prefix + place]).lines.compactMap { pid_t($0) }
        }
        return found
    }

    /// What this machine calls a namespace.
    func name(_ place: String) -> String { prefix + place }

    /// Run a program at `place` to its end.
    func run(
        _ place: String, _ words: [String], input: String = "", environment: [String: String] = [:], seconds: Int = 60
    ) async throws -> Outcome {
        try await runProgram(
            ["ip", "netns", "exec", name(place)] + words, input: input, environment: environment, seconds: seconds)
    }

    /// `ip LINE` at `place`; throws unless it succeeds.
    func ip(_ place: String, _ line: String) async throws {
        try await must(["ip", "-n", name(place)] + line.split(separator: " ").map(String.init))
    }

    /// A pair of joined interfaces, both up.
    func join(_ one: (place: String, interface: String), _ other: (place: String, interface: String)) async throws {
        try await must(
            ["ip", "link", "add", one.interface, "netns", name(one.place), "type", "veth", "peer", "name"]
                + [other.interface, "netns", name(other.place)])
        try await ip(one.place, "link set \(one.interface) up")
        try await ip(other.place, "link set \(other.interface) up")
    }

    /// Set `net.ipv4.NAME` at `place`.
    func set(_ place: String, _ name: String, _ value: Int) async throws {
        let path = "/proc/sys/net/ipv4/" + name.replacing(".", with: "/")
        try await must(["ip", "netns", "exec", self.name(place), "sh", "-c", "echo \(value) >\(path)"])
    }

    /// Start a program at `place` and leave it running.
    func start(_ place: String, _ words: [String], environment: [String: String] = [:]) async throws -> RunningProgram {
        try await RunningProgram(
            ["ip", "netns", "exec", name(place)] + words, environment: environment,
            log: "\(directory)/log\(UInt32.random(in: .min ... .max))")
    }

    private func must(_ words: [String]) async throws {
        let outcome = try await runProgram(words)
        guard outcome.status == 0 else { throw LabFailure("\(words.joined(separator: " ")): \(outcome)") }
    }
}
