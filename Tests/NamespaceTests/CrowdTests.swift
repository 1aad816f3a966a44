import Foundation
import Testing

extension NamespaceTests {
    /// Many clients at the control socket, good and bad, while packets are forwarded.
    @Suite struct Crowd {
        @Test func everyClientIsAnsweredOrRefusedAndForwardingGoesOn() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let traffic = Task { try await forward(lab) }
                let crowd = try await lab.start("director", ["python3", "-c", Scripts.crowd, daemon.controlSocket])
                #expect(try await crowd.writes("\ndone", within: 150), "\(crowd.text)")
                let answers = Dictionary(
                    crowd.text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1) }.map {
                        (String($0[0]), $0.count > 1 ? String($0[1]) : "")
                    }, uniquingKeysWith: { $1 })
                #expect(
                    answers == [
                        "halved": "HTTP/1.1 400 Bad Request", "large": "HTTP/1.1 413 Content Too Large",
                        "endless": "HTTP/1.1 431 Request Header Fields Too Large",
                        "nonsense": "HTTP/1.1 400 Bad Request", "zeros": "HTTP/1.1 200 OK",
                        "unknown": "HTTP/1.1 404 Not Found", "good": "100", "done": "",
                    ], "\(crowd.text)")

                traffic.cancel()
                let rounds = try await traffic.value
                #expect(rounds > 0)
                // The silent ones are still connected; others do not wait for them, nor does the daemon when it ends.
                #expect(try await lab.ipvsadm("-S -n").lines.filter { $0.hasPrefix("-A") }.count == 103)
                let worker = try await lab.status()
                #expect(worker.connections > 0)
                #expect(try await daemon.stop() == 0, "\(daemon.text)")
                #expect(!daemon.text.contains("error"), "\(daemon.text)")
            }
        }

        /// Fetch through the service until cancelled; every request is answered.
        /// - Returns: how many times 20 requests were.
        private func forward(_ lab: Lab) async throws -> Int {
            var rounds = 0
            while !Task.isCancelled {
                // Not a part of this task, so that cancelling it leaves the last round whole.
                let answers = try await Task.detached { try await lab.fetch(20) }.value
                #expect(answers.status == 0 && answers.lines.count == 20, "\(answers)")
                rounds += 1
            }
            return rounds
        }
    }
}
