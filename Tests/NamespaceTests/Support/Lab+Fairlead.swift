import Foundation

/// What `fairlead status --json` prints, as far as tests look at it.
struct DaemonStatus: Decodable {
    var received, waiting, made: UInt64
    var ends, drops: [String: UInt64]
    var connections: Int

    var endsAndWaiting: UInt64 { ends.values.reduce(waiting, +) }
}

extension Lab {
    /// Start the daemon at the director with `rules`, and wait until it says that it is ready.
    func startFairlead(
        rules: String = Lab.rules, _ options: [String] = [], environment: [String: String] = [:]
    ) async throws -> RunningProgram {
        let path = try write(rules, to: "rules")
        let daemon = try await start(
            "director",
            [Program.path, "run", "--interface", "client0", "--interface", "servers0", "--rules", path] + options,
            environment: environment)
        guard try await daemon.writes("fairlead: ready, control socket ") else {
            throw LabFailure("fairlead run (\(Program.path)): \(daemon.text)")
        }
        return daemon
    }

    /// A client of the daemon: `fairlead WORDS`.
    func fairlead(_ words: [String], input: String = "") async throws -> Outcome {
        try await run("director", [Program.path] + words, input: input)
    }

    /// `fairlead ipvsadm LINE`.
    func ipvsadm(_ line: String, input: String = "") async throws -> Outcome {
        try await fairlead(["ipvsadm"] + line.split(separator: " ").map(String.init), input: input)
    }

    func status() async throws -> DaemonStatus {
        let outcome = try await fairlead(["status", "--json"])
        guard outcome.status == 0 else { throw LabFailure("fairlead status: \(outcome)") }
        return try JSONDecoder().decode(DaemonStatus.self, from: Data(outcome.output.utf8))
    }

    /// The nf_tables tables at the director.
    func tables() async throws -> String { try await must("director", "nft list tables") }
}

extension RunningProgram {
    /// The control socket that the daemon named when it was ready.
    var controlSocket: String {
        text.split(separator: "\n").first { $0.hasPrefix("fairlead: ready, control socket ") }
            .map { String($0.dropFirst("fairlead: ready, control socket ".count)) } ?? ""
    }
}
