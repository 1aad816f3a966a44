import ArgumentParser
import Control
import Dataplane
import Foundation
import Synchronization

/// What `fairlead explain` asks the daemon.
struct ExplainRequest: Codable {
    static let route = "/explain"
    /// Packets to explain.
    var count: Int
    /// Seconds to wait for them.
    var seconds: Double

    struct Packet: Codable {
        var end: String
        var lines: [String]
    }

    /// Collect packets from the workers until there are enough, or time is up.
    static func answer(_ body: Data, _ workers: [Worker]) async -> Data {
        guard let request = try? JSONDecoder().decode(ExplainRequest.self, from: body) else { return Data("[]".utf8) }
        let collected = Collected()
        let count = max(1, min(request.count, 1000))
        for worker in workers {
            worker.explain(count: count) { packet in
                collected.packets.withLock { packets in
                    if packets.count < count { packets.append(Packet(end: packet.end, lines: packet.lines)) }
                }
            }
        }
        let end = ContinuousClock.now + .seconds(max(0, min(request.seconds, 100)))
        while ContinuousClock.now < end {
            if collected.packets.withLock({ $0.count }) >= request.count { break }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return (try? JSONEncoder().encode(collected.packets.withLock { $0 })) ?? Data("[]".utf8)
    }

    private final class Collected: Sendable {
        let packets = Mutex<[Packet]>([])
    }
}

extension Fairlead {
    /// `fairlead explain`: the next packets' fate in words.
    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say in words what becomes of the next packets.")

        @Option(help: "How many packets.")
        var count = 1
        @Option(help: "How long to wait for them, in seconds.")
        var seconds = 30.0
        @OptionGroup var control: ControlOption

        func run() async throws {
            do {
                let request = try JSONEncoder().encode(ExplainRequest(count: count, seconds: seconds))
                let reply = try control.client.send(request, to: ExplainRequest.route)
                let packets = try JSONDecoder().decode([ExplainRequest.Packet].self, from: reply)
                for (number, packet) in packets.enumerated() {
                    print("packet \(number + 1): \(packet.end)")
                    for line in packet.lines { print("  \(line)") }
                }
                guard !packets.isEmpty else { throw Failure("no packet came within \(seconds) s") }
            } catch {
                FileHandle.standardError.write(Data("fairlead explain: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
