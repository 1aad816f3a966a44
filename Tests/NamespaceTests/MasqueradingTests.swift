import Foundation
import Testing

extension NamespaceTests {
    /// NAT round robin on real traffic.
    @Suite struct Masquerading {
        @Test func requestsAreSpreadEvenly() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let answers = try await lab.fetch(30)
                #expect(answers.status == 0, "\(answers)")
                let shares = Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
                #expect(shares == ["server1": 10, "server2": 10, "server3": 10])
                // Newest first, as the kernel.
                #expect(Array(answers.lines.prefix(4)) == ["server3", "server2", "server1", "server3"])

                let other = try await lab.fetch(3, port: 8083)
                #expect(other.output == "server3\nserver3\nserver3\n", "\(other)")
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func datagramsAreAnswered() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                var answers: [String] = []
                for number in 1...4 { answers.append(try await lab.exchange("text\(number)", port: 7)) }
                #expect(
                    answers == [
                        "answer server2:text1", "answer server1:text2", "answer server2:text3", "answer server1:text4",
                    ])
                // In three fragments, both ways.
                let long = String(repeating: "0123456789abcdef", count: 256)
                #expect(try await lab.exchange(long, port: 7) == "answer server2:\(long)")
                #expect(try await lab.counter("IpReasmOKs", at: "server2") == 1)
                #expect(try await lab.counter("IpReasmOKs", at: "client") == 1)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func bulkArrivesIntactAndEveryFrameIsCounted() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let body = try await lab.run(
                    "client",
                    [
                        "sh", "-c",
                        "curl -sS --max-time 50 http://\(Lab.virtual):8083/bulk | sha256sum | cut -d ' ' -f 1",
                    ])
                let expected = try await lab.run(
                    "client",
                    [
                        "python3", "-c",
                        "import hashlib, random; print(hashlib.sha256(random.Random(7).randbytes(\(Scripts.bulkLength)))"
                            + ".hexdigest())",
                    ])
                #expect(body.output == expected.output && body.status == 0, "\(body)")

                for place in ["client", "server3"] {
                    #expect(try await lab.counter("TcpInCsumErrors", at: place) == 0)
                    #expect(try await lab.counter("TcpInErrs", at: place) == 0)
                }
                let status = try await lab.status()
                #expect(status.received > 100)
                #expect(status.endsAndWaiting == status.received)
                #expect(status.connections == 1)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func threeHundredRequestsAreThreeHundredEntries() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let answers = try await lab.fetch(300)
                #expect(answers.status == 0 && answers.lines.count == 300, "\(answers)")
                let listing = try await lab.ipvsadm("-Ln -t \(Lab.virtual):80")
                let counts = listing.lines.filter { $0.hasPrefix("  ->") }.dropFirst().compactMap {
                    $0.split(separator: " ").suffix(2).compactMap { Int($0) }.reduce(0, +)
                }
                #expect(counts == [100, 100, 100], "\(listing)")
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
