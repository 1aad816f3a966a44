import Foundation
import Subprocess
import TestSupport

/// What a program that was run to its end left.
struct Outcome: Sendable, CustomStringConvertible {
    /// As a shell counts: 128 + the signal's number for one that was killed.
    var status: Int32
    var output: String
    var error: String

    var lines: [String] { output.split(separator: "\n").map(String.init) }
    var description: String { "status \(status)\n\(output)\(error)" }

    init(_ status: TerminationStatus?, _ output: String?, _ error: String?) {
        switch status {
        case .exited(let code): self.status = code
        case .signaled(let number): self.status = 128 + number
        case nil: self.status = -1
        }
        self.output = output ?? ""
        self.error = error ?? ""
    }
}

struct LabFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Run a program to its end, 60 seconds at most (then its status is 124).
func runProgram(
    _ words: [String], input: String = "", environment: [String: String] = [:], seconds: Int = 60
) async throws -> Outcome {
    let changes = Dictionary(
        uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), String?.some($0.value)) })
    let result = try await Subprocess.run(
        .path("/usr/bin/timeout"), arguments: Arguments(["--kill-after=5", "\(seconds)"] + words),
        environment: .inherit.updating(changes), input: .string(input), output: .string(limit: 1 << 24),
        error: .string(limit: 1 << 20))
    return Outcome(result.terminationStatus, result.standardOutput, result.standardError)
}

/// Wait until `condition` holds, `seconds` at most.
/// - Returns: whether it held at last.
func eventually(within seconds: Double = 10, _ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    repeat {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(50))
    } while ContinuousClock.now < end
    return try await condition()
}
