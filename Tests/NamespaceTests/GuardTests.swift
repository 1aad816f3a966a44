import Testing

extension NamespaceTests {
    /// What Fairlead owns and the host's own stack side by side: with the virtual address on the host and without, with
    /// the host forwarding and without.
    @Suite struct HostBeside {
        private static let hostPort = 81

        @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
        func eachKeepsToItsOwn(hostHasAddress: Bool, hostForwards: Bool) async throws {
            try await Lab.with(forwards: hostForwards) { lab in
                if hostHasAddress {
                    try await lab.must("director", "ip address add \(Lab.virtual)/32 dev lo")
                    try await lab.startWebServer("director", port: Self.hostPort)
                }
                let daemon = try await lab.startFairlead()
                try await serviceWorks(lab)
                try await hostReachesServers(lab)
                try await otherPorts(lab, hostHasAddress: hostHasAddress)
                try await strayPackets(lab, hostForwards: hostForwards)

                // The status is asked for while frames come; at rest every frame has its end.
                let isWhole = try await eventually {
                    let status = try await lab.status()
                    return status.endsAndWaiting == status.received
                }
                #expect(isWhole)
                #expect(try await daemon.stop() == 0)
                #expect(try await lab.tables().isEmpty)
            }
        }

        private func serviceWorks(_ lab: Lab) async throws {
            let answers = try await lab.fetch(6)
            #expect(answers.status == 0 && answers.lines.count == 6, "\(answers)")
            #expect(Set(answers.lines) == ["server1", "server2", "server3"])
            #expect(try await lab.exchange("text", port: 7) == "answer server2:text")
            // No reset by the host, to either side.
            #expect(try await lab.counter("TcpAttemptFails", at: "client") == 0)
            #expect(try await lab.counter("TcpEstabResets", at: "client") == 0)
            #expect(try await lab.counter("TcpOutRsts", at: "director") == 0)
        }

        /// Replies to the host's own connections come from the very RIP:RPORT that the guard keeps.
        private func hostReachesServers(_ lab: Lab) async throws {
            let own = try await lab.fetch(3, from: "director", Lab.server(2))
            #expect(own.output == "server2\nserver2\nserver2\n", "\(own)")
        }

        private func otherPorts(_ lab: Lab, hostHasAddress: Bool) async throws {
            let host = try await lab.connect(port: Self.hostPort)
            if hostHasAddress {
                #expect(try await lab.fetch(1, port: Self.hostPort).output == "director\n")
            } else {
                #expect(host == "error ECONNREFUSED")
            }
            #expect(try await lab.connect(port: 82) == "error ECONNREFUSED")
            #expect(try await lab.exchange("text", port: 9) == "error ECONNREFUSED")
            // Where only we have the address, the answers are ours alone: the host does not even see the packets.
            if !hostHasAddress { #expect(try await lab.counter("IcmpOutDestUnreachs", at: "director") == 0) }
            let ping = try await lab.run("client", ["ping", "-c", "3", "-i", "0.2", "-W", "5", Lab.virtual])
            #expect(ping.output.contains("3 packets transmitted, 3 received"), "\(ping)")
            #expect(!ping.output.contains("DUP"), "\(ping)")
        }

        /// Packets from RIP:RPORT that belong to no connection are forwarded once if the host forwards, and never translated.
        private func strayPackets(_ lab: Lab, hostForwards: Bool) async throws {
            let stray = "src \(Lab.server(1)) or src \(Lab.virtual)"
            let capture = try await lab.start("client", ["tcpdump", "-l", "-n", "-q", "-i", "eth0", stray])
            #expect(try await capture.writes("listening on"))
            for port in [80, 7777] {
                let sent = try await lab.run(
                    "server1", ["python3", "-c", Scripts.stray, Lab.server(1), "\(port)", Lab.client, "9999"])
                #expect(sent.status == 0, "\(sent)")
            }
            // What comes behind them in the same queues: when it has arrived, they have.
            #expect(try await lab.fetch(3).lines.count == 3)
            _ = try await eventually { capture.text.contains("\(Lab.virtual).80 >") }
            let isSeen = try await eventually(within: hostForwards ? 10 : 1) {
                capture.text.split(separator: "\n").filter { $0.contains(".9999:") }.count >= 4
            }
            #expect(isSeen == hostForwards)
            _ = try await capture.stop(2)
            let lines = capture.text.split(separator: "\n").filter { $0.contains(".9999:") }.map(String.init)
            for port in [80, 7777] {
                for kind in ["tcp", "UDP"] {
                    let matching = lines.filter {
                        $0.contains("IP \(Lab.server(1)).\(port) > \(Lab.client).9999: \(kind)")
                    }
                    #expect(matching.count == (hostForwards ? 1 : 0), "\(capture.text)")
                }
            }
            #expect(lines.count == (hostForwards ? 4 : 0), "\(capture.text)")
        }
    }
}
