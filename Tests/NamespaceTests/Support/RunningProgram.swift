import Foundation
import Glibc
import Subprocess
import Synchronization

/// A program that was started and goes on. All that it writes goes to one file.
final class RunningProgram: Sendable {
    let process: pid_t
    private let log: String
    private let ended: Ended
    private let task: Task<Void, any Error>

    private final class Ended: Sendable {
        let status = Mutex<TerminationStatus?>(nil)
    }

    /// Start `words`; `exec` all the way, so that the process is the program itself and takes signals.
    init(_ words: [String], environment: [String: String], log: String) async throws {
        let changes = Dictionary(
            uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), String?.some($0.value)) })
        // Under a test runner in the background SIGINT may be ignored, and programs inherit that.
        let arguments = ["--default-signal=INT", "sh", "-c", "exec \"$@\" >'\(log)' 2>&1", "sh"] + words
        let ended = Ended()
        let (started, announce) = AsyncStream.makeStream(of: pid_t.self)
        let task = Task {
            defer { announce.finish() }
            let result = try await Subprocess.run(
                .path("/usr/bin/env"), arguments: Arguments(arguments), environment: .inherit.updating(changes),
                input: .none, output: .discarded, error: .discarded
            ) { execution in
                announce.yield(execution.processIdentifier.value)
            }
            ended.status.withLock { $0 = result.terminationStatus }
        }
        guard let process = await started.first(where: { _ in true }) else {
            try await task.value
            throw LabFailure("\(words.joined(separator: " ")) did not start")
        }
        self.process = process
        self.ended = ended
        self.task = task
        self.log = log
    }

    /// All that it has written.
    var text: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// What it ended with; nil while it runs.
    var status: Int32? { ended.status.withLock { $0 }.map { Outcome($0, nil, nil).status } }

    func signal(_ number: Int32) { kill(process, number) }

    /// Wait for its end.
    /// - Returns: its status, nil if it still runs after `seconds`.
    func end(within seconds: Double) async throws -> Int32? {
        _ = try await eventually(within: seconds) { status != nil }
        return status
    }

    /// Send `number` and wait for its end.
    func stop(_ number: Int32 = SIGTERM, within seconds: Double = 10) async throws -> Int32? {
        signal(number)
        return try await end(within: seconds)
    }

    /// Wait until it has written `part`, or ended.
    func writes(_ part: String, within seconds: Double = 30) async throws -> Bool {
        _ = try await eventually(within: seconds) { text.contains(part) || status != nil }
        return text.contains(part)
    }
}
