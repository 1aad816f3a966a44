import Balancer
import Control
import Foundation
import Testing
import Wire

@Suite struct CommandExecutorTests {
    @Test func everyRecordedErrorIsTheKernelTools() throws {
        let table = KernelRuleTable()
        for step in try Vectors.steps("cli-errors") {
            guard let command = step.command else { continue }
            let result = CommandExecutor.recorded.run(command, on: table)
            if command.argv == ["ipvsadm", "-h"] {
                #expect(result.status == 0 && result.standardError.isEmpty)
                #expect(result.standardOutput.hasPrefix(String(command.stdout.prefix { $0 != "\n" })))
                continue
            }
            #expect(command.matches(result), "step \(step.n) `\(command)`: \(result)")
        }
    }

    @Test func listingsOfEveryKindAreTheKernelTools() throws {
        let table = KernelRuleTable()
        for step in try Vectors.steps("cli-listing").prefix(17) {
            let command = try #require(step.command)
            #expect(command.matches(CommandExecutor.recorded.run(command, on: table)), "step \(step.n) `\(command)`")
        }
    }

    /// 3,300 command lines, the options of every command one by one and in pairs, malformed words, addresses, numbers
    /// and restores, as ipvsadm 1.31 on Linux 6.1 answered them one after the other.
    @Test func everyCommandLineOfTheGrammarRecordingIsAnsweredAlike() throws {
        let data = try Data(contentsOf: Vectors.folder.appending(path: "cli-grammar").appending(path: "commands.json"))
        let table = KernelRuleTable()
        table.broadcastAddresses = [try #require(IPAddress("192.0.2.255"))]
        var count = 0
        for (number, command) in try JSONDecoder().decode([RecordedCommand].self, from: data).enumerated() {
            let result = CommandExecutor.recorded.run(command, on: table)
            count += 1
            if command.stdout.contains("Usage:") {
                #expect(result.status == 0 && result.standardError.isEmpty)
            } else {
                #expect(
                    command.matchesButForServiceOrder(result),
                    "\(number) `\(command)`: \(result), recorded \(command.stderr)")
            }
        }
        #expect(count > 3000)
    }
}
