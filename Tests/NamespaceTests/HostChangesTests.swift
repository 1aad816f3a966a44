import Testing

extension NamespaceTests {
    /// The host's network changes under the daemon.
    @Suite struct HostChanges {
        @Test func aLinkThatGoesAndComesIsFollowed() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                #expect(try await lab.fetch(3).lines.count == 3)
                try await lab.must("director", "ip link set servers0 down")
                // The routes are gone with the link; the daemon hears of it a moment later.
                let isUnreachable = try await eventually {
                    try await lab.connect(port: 80) == "error EHOSTUNREACH"
                }
                #expect(isUnreachable)
                #expect(try await lab.status().drops["no_route", default: 0] > 0)
                try await lab.must("director", "ip link set servers0 up")
                #expect(try await eventually { try await lab.connect(port: 80) == "connected" })
                #expect(try await lab.fetch(3).lines.sorted() == ["server1", "server2", "server3"])
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func theHostTakesTheAddressAndGivesItBack() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                for change in ["add", "del"] {
                    try await lab.must("director", "ip address \(change) \(Lab.virtual)/32 dev lo")
                    let answers = try await lab.fetch(6)
                    #expect(answers.status == 0 && answers.lines.count == 6, "\(change): \(answers)")
                }
                // Only we own it again, so we answer.
                let isAnswered = try await eventually {
                    try await lab.run("client", ["ping", "-c", "1", "-W", "1", Lab.virtual]).status == 0
                }
                #expect(isAnswered)
                #expect(try await lab.counter("TcpOutRsts", at: "director") == 0)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func anInterfaceThatIsDeletedStopsNothingElse() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead()
                try await lab.must("director", "ip link delete client0")
                #expect(try await lab.ipvsadm("-S -n").lines.count == 9)
                #expect(try await lab.ipvsadm("-D -t \(Lab.virtual):80").status == 0)
                #expect(try await lab.ipvsadm("-S -n").lines.count == 5)
                #expect(try await daemon.stop() == 0)
                #expect(try await lab.tables().isEmpty)
            }
        }
    }
}
