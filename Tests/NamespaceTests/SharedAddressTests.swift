import Testing

extension NamespaceTests {
    /// Directors that hand a virtual address to each other, as VRRP does.
    @Suite struct SharedAddress {
        /// In the client's subnet, so that ARP decides who gets its packets.
        private static let address = "198.18.1.80"
        private static let rules =
            "-A -t \(address):80 -s rr\n" + (1...3).map { "-a -t \(address):80 -r \(Lab.server($0)):80 -m\n" }.joined()

        @Test func isServedWhileTheHostHasIt() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: Self.rules, ["--only-host-addresses"])
                let capture = try await lab.start(
                    "client", ["tcpdump", "-l", "-n", "-i", "eth0", "arp and ether src 02:00:00:01:00:01"])
                #expect(try await capture.writes("listening on"))
                #expect(try await lab.connect(port: 80, address: Self.address) == "error EHOSTUNREACH")

                try await lab.must("director", "ip address add \(Self.address)/32 dev client0")
                let isServed = try await eventually {
                    try await lab.fetch(3, Self.address).lines.sorted() == ["server1", "server2", "server3"]
                }
                #expect(isServed)

                // When it goes, Fairlead does not take it for its own.
                try await lab.must("director", "ip address delete \(Self.address)/32 dev client0")
                try await lab.must("client", "ip neighbour flush all")
                #expect(try await lab.connect(port: 80, address: Self.address) == "error EHOSTUNREACH")
                let claims = capture.text.split(separator: "\n").filter { $0.contains("who-has \(Self.address)") }
                #expect(claims.isEmpty, "\(capture.text)")
                #expect(try await daemon.stop() == 0, "\(daemon.text)")
            }
        }

        @Test func withoutTheOptionItIsFairleadsOwn() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: Self.rules)
                #expect(try await lab.fetch(3, Self.address).lines.sorted() == ["server1", "server2", "server3"])
                #expect(try await daemon.stop() == 0, "\(daemon.text)")
            }
        }
    }
}
