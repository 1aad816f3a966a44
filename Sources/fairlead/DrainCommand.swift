import ArgumentParser
import Control
import Foundation
import Glibc

extension Fairlead {
    /// `fairlead drain`: empty a real server.
    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a real server no new connections, and end the old ones at a deadline.",
            discussion: """
                fairlead drain VIRTUAL REAL --deadline 30s --then reset

                Shows the connections that are left, live. Ends with 0 when all ended by themselves, with 2 when some were \
                ended at the deadline, with 1 when there was no drain, or when it was cancelled by giving the real server a \
                weight. The daemon drains on when this program is stopped; calling it with --watch looks on again.
                """)

        /// Which option of ipvsadm names the service.
        enum Kind: String, EnumerableFlag {
            case tcpService, udpService, sctpService, fwmarkService

            var option: String {
                switch self {
                case .tcpService: "-t"
                case .udpService: "-u"
                case .sctpService: "--sctp-service"
                case .fwmarkService: "-f"
                }
            }

            static func name(for value: Kind) -> NameSpecification {
                switch value {
                case .tcpService: [.customShort("t"), .long]
                case .udpService: [.customShort("u"), .long]
                case .sctpService: .long
                case .fwmarkService: [.customShort("f"), .long]
                }
            }
        }

        enum Ending: String, ExpressibleByArgument, CaseIterable {
            case reset, reassign
        }

        @Argument(help: "The virtual service: HOST:PORT, or a mark with -f.")
        var virtual: String
        @Argument(help: "The real server: HOST[:PORT].")
        var real: String
        @Flag(exclusivity: .exclusive, help: "What the service is; TCP unless given.")
        var kind = Kind.tcpService
        @Option(help: "When connections are ended: 30s, 500ms, 5m, 2h.")
        var deadline: String?
        @Option(help: "How: reset tells both ends of TCP connections, reassign just forgets them.")
        var then = Ending.reset
        @Flag(help: "Begin nothing; look on at the drain there is.")
        var watch = false
        @OptionGroup var control: ControlOption

        func validate() throws {
            guard watch != (deadline != nil) else { throw ValidationError("give either --deadline or --watch") }
            if let deadline, DrainView.seconds(deadline) == nil {
                throw ValidationError("--deadline takes a time like 30s, 500ms, 5m or 2h, not \"\(deadline)\"")
            }
        }

        func run() async throws {
            do {
                let screen = Screen()
                var reply = try ask(deadline.flatMap { DrainView.seconds($0) }, screen.holdouts)
                screen.show(reply)
                while reply.phase == "waiting" || reply.phase == "cutting" {
                    try await Task.sleep(for: .milliseconds(250))
                    reply = try ask(nil, screen.holdouts)
                    screen.show(reply)
                }
                if reply.phase == "cancelled" { throw ExitCode.failure }
                if reply.cut > 0 { throw ExitCode(2) }
            } catch let code as ExitCode {
                throw code
            } catch {
                FileHandle.standardError.write(Data("fairlead drain: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }

        private func ask(_ seconds: Double?, _ most: Int) throws -> DrainReply {
            let request = DrainRequest(
                target: [kind.option, virtual, "-r", real], seconds: seconds, then: then.rawValue, most: most)
            let body = try control.client.send(try JSONEncoder().encode(request), to: DrainRequest.route)
            let reply = try JSONDecoder().decode(DrainReply.self, from: body)
            if let error = reply.error { throw Failure(error) }
            return reply
        }
    }
}

/// Where a drain is shown: a terminal is drawn anew each time; elsewhere the table comes once, then a line for each change.
private final class Screen {
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private var drawn = 0
    private var last: (phase: String, open: Int)?

    /// Holdouts that there is room for.
    var holdouts: Int { isTerminal ? 15 : 100 }

    func show(_ reply: DrainReply) {
        if isTerminal {
            // Up to the first line that was drawn, and everything from there on away.
            let back = drawn > 0 ? "\u{1b}[\(drawn)A\u{1b}[J" : ""
            let lines = DrainView.table(reply)
            write(back + lines.joined(separator: "\n") + "\n")
            drawn = lines.count
            return
        }
        if let last, last == (reply.phase, reply.open) { return }
        let lines = last == nil ? DrainView.table(reply) : [DrainView.line(reply)]
        last = (reply.phase, reply.open)
        write(lines.joined(separator: "\n") + "\n")
    }

    private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
