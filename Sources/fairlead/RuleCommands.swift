import ArgumentParser
import Control
import Foundation

/// What `plan`, `apply` and `rollback` have in common: a request, and a plan to show.
private struct PlanExchange {
    let command: String
    let control: ControlOption
    let json: Bool

    /// Ask the daemon, show what it says, and end with 1 when it refused.
    func run(_ request: some Encodable, to route: String, wait: Double = 0) throws {
        let reply: RuleRequests.Reply
        let data: Data
        do {
            let client = ControlClient(
                path: ControlSocketPath(option: control.control).forClient(), timeout: 120 + Int(wait))
            data = try client.send(try JSONEncoder().encode(request), to: route)
            reply = try JSONDecoder().decode(RuleRequests.Reply.self, from: data)
        } catch {
            fail("\(error)")
            throw ExitCode.failure
        }
        if json {
            print(String(decoding: data, as: UTF8.self))
        } else {
            for warning in reply.warnings { fail(warning) }
            for error in reply.errors { fail(error) }
            if let text = reply.text ?? reply.plan?.text { print(text, terminator: "") }
            if let undrained = reply.undrained, undrained > 0 {
                fail("\(undrained) connections were left when the wait for them was over")
            }
        }
        guard reply.errors.isEmpty else { throw ExitCode.failure }
    }

    private func fail(_ text: String) {
        FileHandle.standardError.write(Data("fairlead \(command): \(text)\n".utf8))
    }
}

extension Fairlead {
    /// `fairlead plan`: what applying a file would change.
    struct Plan: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what applying a file would change, and how many connections that meets.")

        @Argument(help: "The file; - is standard input.")
        var file: String
        @Flag(help: "One JSON object instead of lines.")
        var json = false
        @OptionGroup var control: ControlOption

        func run() throws {
            try PlanExchange(command: "plan", control: control, json: json).run(
                RuleRequests.Apply(name: file, text: try ConfigurationFiles.text(file), asText: !json),
                to: RuleRequests.plan)
        }
    }

    /// `fairlead apply`: put a file in force, all of it or nothing.
    struct Apply: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put the rules of a file in force: all of them, or nothing.",
            discussion: "What does not change is not touched: connections and counters go on.")

        @Argument(help: "The file; - is standard input.")
        var file: String
        @Option(help: "Quiesce real servers that go, and wait so long (30s, 2m) for their connections to end.")
        var drain: TimeArgument?
        @Flag(help: "One JSON object instead of lines.")
        var json = false
        @OptionGroup var control: ControlOption

        func run() throws {
            let seconds = drain?.seconds ?? 0
            try PlanExchange(command: "apply", control: control, json: json).run(
                RuleRequests.Apply(name: file, text: try ConfigurationFiles.text(file), drain: seconds, asText: !json),
                to: RuleRequests.apply, wait: seconds)
        }
    }

    /// `fairlead rollback`: put an earlier state in force again.
    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put an earlier state of the rules in force again.",
            discussion: "`fairlead history` lists the states. A rollback is a state too: a second one undoes the first."
        )

        @Argument(help: "How many states back.")
        var steps = 1
        @Option(help: "Quiesce real servers that go, and wait so long (30s, 2m) for their connections to end.")
        var drain: TimeArgument?
        @Flag(help: "One JSON object instead of lines.")
        var json = false
        @OptionGroup var control: ControlOption

        func run() throws {
            let seconds = drain?.seconds ?? 0
            try PlanExchange(command: "rollback", control: control, json: json).run(
                RuleRequests.Rollback(steps: steps, drain: seconds, asText: !json), to: RuleRequests.rollback,
                wait: seconds)
        }
    }

    /// `fairlead history`: the last 16 states of the rules.
    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the last 16 states of the rules, the one in force first.")

        @Flag(help: "One JSON object instead of lines.")
        var json = false
        @OptionGroup var control: ControlOption

        func run() throws {
            do {
                let data = try control.client.send(Data("{}".utf8), to: RuleRequests.history)
                guard !json else { return print(String(decoding: data, as: UTF8.self)) }
                let history = try JSONDecoder().decode(RuleRequests.History.self, from: data)
                for (steps, head) in history.states.enumerated() {
                    print(
                        "\(steps)  \(head.time.formatted(.iso8601))  \(head.services) services, "
                            + "\(head.destinations) destinations  \(head.origin)")
                }
            } catch {
                FileHandle.standardError.write(Data("fairlead history: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }

    /// `fairlead export`: the rules in force as a file.
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the rules in force as a fairlead.yaml, however they came about.")

        @OptionGroup var control: ControlOption

        func run() throws {
            do {
                let data = try control.client.send(Data("{}".utf8), to: RuleRequests.export)
                print(String(decoding: data, as: UTF8.self), terminator: "")
            } catch {
                FileHandle.standardError.write(Data("fairlead export: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
