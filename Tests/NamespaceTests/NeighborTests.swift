import Testing

extension NamespaceTests {
    /// Next hops whose MAC is not known.
    @Suite struct Neighbors {
        @Test func theFirstPacketWaitsForItsNeighborAndArrives() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(
                    rules: "-A -u \(Lab.virtual):7 -s rr\n-a -u \(Lab.virtual):7 -r \(Lab.server(1)):7777 -m\n")
                try await quiet(true, lab)
                try await lab.must("director", "ip neigh flush dev servers0")
                // One datagram, never sent again: it waits until the server answers ARP.
                async let answer = lab.exchange("text", port: 7)
                #expect(try await eventually(within: 3) { try await lab.status().waiting > 0 })
                try await quiet(false, lab)
                #expect(try await answer == "answer server1:text")
                let status = try await lab.status()
                #expect(status.waiting == 0 && status.endsAndWaiting == status.received)
                #expect(status.drops.values.allSatisfy { $0 == 0 })
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func flushedNeighborsCostNoRetransmission() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                for _ in 1...3 {
                    try await lab.must("director", "ip neigh flush all")
                    let answers = try await lab.fetch(3)
                    #expect(answers.status == 0 && answers.lines.count == 3, "\(answers)")
                }
                #expect(try await lab.counter("TcpExtTCPSynRetrans", at: "client") == 0)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func aServerThatNobodyIsMakesTheHostUnreachable() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead(
                    rules: "-A -t \(Lab.virtual):80 -s rr\n-a -t \(Lab.virtual):80 -r 198.18.2.99:80 -m\n")
                #expect(try await lab.connect(port: 80) == "error EHOSTUNREACH")
                let isWhole = try await eventually {
                    let status = try await lab.status()
                    return status.waiting == 0 && status.drops["no_neighbor", default: 0] > 0
                        && status.endsAndWaiting == status.received
                }
                #expect(isWhole)
                #expect(try await daemon.stop() == 0)
            }
        }

        /// Whether server1 keeps silent when it is asked for its MAC.
        private func quiet(_ isQuiet: Bool, _ lab: Lab) async throws {
            let value = isQuiet ? 8 : 0
            let outcome = try await lab.run(
                "server1", ["sh", "-c", "echo \(value) >/proc/sys/net/ipv4/conf/eth0/arp_ignore"])
            guard outcome.status == 0 else { throw LabFailure("arp_ignore: \(outcome)") }
        }
    }
}
