import Foundation
import Testing

extension NamespaceTests {
    /// Every forwarding method with real programs: web, bulk, DNS, path MTU, ping and traceroute, one-armed and two-armed. All
    /// checks of one method and family share a lab.
    @Suite struct Forwarding {
        @Test(arguments: [
            Path(.nat, .v4), Path(.nat, .v6), Path(.dr, .v4), Path(.dr, .v6),
        ])
        func natAndDirectRouting(path: Path) async throws { try await holds(path) }

        @Test(
            .enabled(if: Lab.canMakeTunDevices, "\(Lab.tunReason)"),
            arguments: [
                Path(.ipip, .v4), Path(.ipip, .v6), Path(.ipip, .v6, server: .v4), Path(.ipip, .v4, server: .v6),
                Path(.gue, .v4), Path(.gue, .v6), Path(.gre, .v4), Path(.gre, .v6),
            ])
        func tunnels(path: Path) async throws { try await holds(path) }

        /// The servers have no route to the client. The last is NAT64: an IPv6 address before IPv4 servers.
        @Test(arguments: [Path(.fullNAT, .v4), Path(.fullNAT, .v6), Path(.fullNAT, .v6, server: .v4)])
        func fullNAT(path: Path) async throws { try await holds(path) }

        /// The same by AF_XDP and by libpcap, whose frames are small and whose checksums are complete, and with a receive ring.
        @Test(arguments: [
            ("xdp", Path(.nat, .v4)), ("xdp", Path(.dr, .v4)), ("xdp", Path(.fullNAT, .v6)), ("pcap", Path(.nat, .v4)),
            ("packet-mmap", Path(.nat, .v4)), ("packet-mmap", Path(.ipip, .v4)),
        ])
        func otherPorts(port: String, path: Path) async throws {
            try await holds(path, port: port)
        }

        /// Two workers share the frames: requests and replies of a connection may come to different ones.
        @Test(arguments: [Path(.nat, .v4), Path(.fullNAT, .v4)])
        func twoWorkers(path: Path) async throws { try await holds(path, ["--workers", "2"]) }

        private func holds(_ path: Path, port: String = "packet", _ options: [String] = []) async throws {
            try await Lab.with(path.labOptions, webServers: false) { lab in
                let check = ForwardingCheck(lab: lab, path: path, port: port)
                try await check.startServers()
                let daemon = try await lab.startFairlead(rules: path.rules, ["--io", port] + options)
                try await check.requestsAreSpread()
                try await check.namesAreAnswered()
                try await check.bulkArrivesIntact()
                try await check.datagramsArriveOnce()
                try await check.pathMTUIsFound()
                try await check.theAddressAnswers()
                try await check.nothingWasWrong()
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
