import ArgumentParser
import Control
import Foundation

/// What `fairlead mark` asks the daemon; the answer is a `CommandResult`.
struct MarkRequest: Codable {
    static let route = "/mark"
    /// What followed `mark`.
    var words: [String]

    static func answer(_ body: Data, _ run: ([String]) -> CommandResult) -> Data {
        let result: CommandResult
        do {
            result = run(try JSONDecoder().decode(MarkRequest.self, from: body).words)
        } catch {
            result = CommandResult(status: 1, standardError: "the daemon does not understand the request\n")
        }
        return (try? JSONEncoder().encode(result)) ?? Data()
    }
}

extension Fairlead {
    /// `fairlead mark`: which packets carry which firewall mark.
    struct Mark: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give packets firewall marks, for services by mark (ipvsadm -f).",
            discussion: """
                Rules stand in the order they were added; the last one that matches a packet gives the mark.
                `fairlead mark list` prints lines that a rules file of `fairlead run` takes.
                """,
            subcommands: [Add.self, List.self, Delete.self])

        /// The packets and the mark.
        struct Rule: ParsableArguments {
            @Option(help: "From these addresses: ADDRESS or ADDRESS/BITS.")
            var src: String?
            @Option(help: "To these addresses: ADDRESS or ADDRESS/BITS.")
            var dst: String?
            @Option(help: "IP protocol: tcp, udp, sctp, icmp, icmpv6 or its number.")
            var proto: String?
            @Option(help: "From this port.")
            var sport: String?
            @Option(help: "To this port.")
            var dport: String?
            @Option(help: "Received by this interface.")
            var interface: String?
            @Option(help: "The mark, from 1 on.")
            var mark: String

            var words: [String] {
                let given = [
                    ("--src", src), ("--dst", dst), ("--proto", proto), ("--sport", sport), ("--dport", dport),
                    ("--interface", interface), ("--mark", mark),
                ]
                return given.flatMap { name, value in value.map { [name, $0] } ?? [] }
            }
        }

        /// `fairlead mark add`.
        struct Add: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Add a rule behind the others.")
            @OptionGroup var rule: Rule
            @OptionGroup var control: ControlOption

            func run() throws { try Mark.send(["add"] + rule.words, control) }
        }

        /// `fairlead mark delete`.
        struct Delete: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Delete the rule that was added with these words.")
            @OptionGroup var rule: Rule
            @OptionGroup var control: ControlOption

            func run() throws { try Mark.send(["delete"] + rule.words, control) }
        }

        /// `fairlead mark list`.
        struct List: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Print the rules, in order.")
            @OptionGroup var control: ControlOption

            func run() throws { try Mark.send(["list"], control) }
        }

        private static func send(_ words: [String], _ control: ControlOption) throws {
            do {
                let reply = try control.client.send(
                    try JSONEncoder().encode(MarkRequest(words: words)), to: MarkRequest.route)
                let result = try JSONDecoder().decode(CommandResult.self, from: reply)
                FileHandle.standardOutput.write(Data(result.standardOutput.utf8))
                FileHandle.standardError.write(Data(result.standardError.utf8))
                guard result.status == 0 else { throw ExitCode(Int32(result.status)) }
            } catch let code as ExitCode {
                throw code
            } catch {
                FileHandle.standardError.write(Data("fairlead mark: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
