import ArgumentParser
import Configuration
import Foundation

extension Fairlead {
    /// `fairlead lint`: what in a file is wrong, or will not work as it was meant.
    struct Lint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Look over a fairlead.yaml: what is wrong, why, and what would be right.",
            discussion: """
                Needs no daemon. MTUs and networks of the file's interfaces are asked from this host, unless the file \
                gives them. Ends with 0 when there is nothing to say, 1 when there is, 2 when the file cannot be read.
                """)

        @Argument(help: "The file; - is standard input.")
        var file: String
        @Flag(help: "One JSON object instead of lines.")
        var json = false

        /// With `--json`.
        private struct Report: Encodable {
            struct Problem: Encodable {
                var line: Int
                var column: Int
                var message: String
            }
            var file: String
            var problems: [Problem] = []
            var findings: [LintFinding] = []
            var unchecked: [String] = []
        }

        func run() throws {
            var report = Report(file: file)
            do {
                try look(&report)
            } catch {
                FileHandle.standardError.write(Data("fairlead lint: \(error)\n".utf8))
                throw ExitCode(2)
            }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                print(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                for problem in report.problems {
                    let place = ConfigurationProblem(
                        line: problem.line, column: problem.column, message: problem.message)
                    print("\(file): \(place)")
                }
                for finding in report.findings { print("\(file): \(finding.text)") }
                for remark in report.unchecked { print("\(file): not checked: \(remark)") }
            }
            if !report.problems.isEmpty { throw ExitCode(2) }
            if !report.findings.isEmpty { throw ExitCode(1) }
        }

        private func look(_ report: inout Report) throws {
            let text = try ConfigurationFiles.text(file)
            do throws(ConfigurationError) {
                let configuration = try ConfigurationFile(yaml: text)
                let network = LintNetwork(configuration, host: ConfigurationFiles.hostInterface)
                let lint = Configuration.Lint(configuration, network: network)
                report.findings = lint.findings
                report.unchecked = lint.unchecked
            } catch {
                report.problems = error.problems.map {
                    Report.Problem(line: $0.line, column: $0.column, message: $0.message)
                }
            }
        }
    }
}
