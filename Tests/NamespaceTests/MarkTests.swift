import Testing

extension NamespaceTests {
    /// Services by firewall mark, of a director whose packets carry none: `fairlead mark`.
    @Suite struct Marks {
        private static let rules =
            "mark add --dst \(Lab.virtual) --proto tcp --dport 80 --mark 5\n-A -f 5 -s rr\n"
            + (1...3).map { "-a -f 5 -r \(Lab.server($0)) -m\n" }.joined()
        private static let other = "198.18.11.7"

        private func mark(_ lab: Lab, _ line: String) async throws -> Outcome {
            try await lab.fairlead(["mark"] + line.split(separator: " ").map(String.init))
        }

        /// With the virtual address on the host and without: the marked port is balanced, the others are the host's, or
        /// closed.
        @Test(arguments: [false, true]) func markedPacketsAreBalanced(hostHasAddress: Bool) async throws {
            try await Lab.with { lab in
                if hostHasAddress {
                    try await lab.must("director", "ip address add \(Lab.virtual)/32 dev lo")
                    try await lab.startWebServer("director", port: 81)
                }
                let daemon = try await lab.startFairlead(rules: Self.rules)
                let answers = try await lab.fetch(6)
                #expect(answers.status == 0 && Set(answers.lines) == ["server1", "server2", "server3"], "\(answers)")
                #expect(try await lab.connect(port: 81) == (hostHasAddress ? "connected" : "error ECONNREFUSED"))
                #expect(try await lab.connect(port: 82) == "error ECONNREFUSED")
                #expect(try await lab.counter("TcpOutRsts", at: "director") == (hostHasAddress ? 1 : 0))
                let ping = try await lab.run("client", ["ping", "-c", "2", "-i", "0.2", "-W", "5", Lab.virtual])
                #expect(ping.output.contains("2 packets transmitted, 2 received") && !ping.output.contains("DUP"))

                let listed = try await mark(lab, "list")
                #expect(listed.output == "mark add --dst \(Lab.virtual) --proto tcp --dport 80 --mark 5\n", "\(listed)")
                let refused = try await mark(lab, "add --dst \(Lab.virtual)/33 --mark 5")
                #expect(refused.status != 0 && refused.error.contains("ADDRESS/BITS"), "\(refused)")
                // Without its rule the port is as the others.
                #expect(
                    try await mark(lab, "delete --dst \(Lab.virtual) --proto tcp --dport 80 --mark 5").status == 0)
                if hostHasAddress { #expect(try await lab.connect(port: 80) == "error ECONNREFUSED") }
                #expect(try await daemon.stop() == 0)
            }
        }

        /// A whole network that is routed to the director, on nobody's interface.
        @Test func aPrefixIsBalanced() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "")
                try await lab.must("client", "ip route replace 198.18.11.0/24 via 198.18.1.1")
                #expect(try await lab.ipvsadm("-A -f 7 -s rr").status == 0)
                #expect(try await lab.ipvsadm("-a -f 7 -r \(Lab.server(2)) -m").status == 0)
                #expect(try await mark(lab, "add --dst 198.18.11.0/24 --proto tcp --dport 80 --mark 7").status == 0)
                let answers = try await lab.fetch(3, Self.other)
                #expect(answers.lines == ["server2", "server2", "server2"], "\(answers)")
                #expect(try await lab.ipvsadm("-Ln").output.contains("FWM  7 rr\n"))
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
