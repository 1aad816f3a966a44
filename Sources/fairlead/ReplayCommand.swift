import ArgumentParser
import Foundation
import Replay

extension Fairlead {
    /// `fairlead replay`: recordings and captures through the engine, without root.
    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run a recording, or captures, through the same engine under a virtual clock.",
            discussion: """
                fairlead replay RECORDING --output DIR
                fairlead replay --rules FILE --topology FILE --in IF=FILE.pcap … --output DIR
                """)

        @Argument(help: "A directory with topology.json, order.json and in-IF.pcap.")
        var recording: String?
        @Option(help: "Where captures and listings are written.")
        var output: String
        @Option(help: "Rules, as `ipvsadm -S` writes them.")
        var rules: String?
        @Option(help: "Interfaces, addresses, routes and neighbours (topology.json of a recording).")
        var topology: String?
        @Option(name: .customLong("in"), help: "IF=FILE.pcap: frames that come in by an interface.")
        var inputs: [String] = []

        func validate() throws {
            if recording != nil, rules != nil || topology != nil || !inputs.isEmpty {
                throw ValidationError("give a RECORDING, or --rules, --topology and --in, not both")
            }
            if recording == nil, rules == nil || topology == nil || inputs.isEmpty {
                throw ValidationError("give a RECORDING, or --rules, --topology and --in")
            }
        }

        func run() throws {
            do {
                if let recording {
                    try RecordingReplay.run(recording, output: output)
                } else if let rules, let topology {
                    let captures = try inputs.map { input in
                        let parts = input.split(separator: "=", maxSplits: 1).map(String.init)
                        guard parts.count == 2 else { throw Failure("--in \(input): not of the form IF=FILE.pcap") }
                        return (interface: parts[0], path: parts[1])
                    }
                    try CaptureReplay.run(rules: rules, topology: topology, captures: captures, output: output)
                }
            } catch {
                FileHandle.standardError.write(Data("fairlead replay: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
