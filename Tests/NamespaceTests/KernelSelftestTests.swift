import Foundation
import TestSupport
import Testing

extension NamespaceTests {
    /// The network and the steps of the kernel's own test of IPVS (tools/testing/selftests/netfilter/ipvs.sh): ns0 is the
    /// client, ns1 the director, ns2 the server; the virtual address is on the loopback of the director, so that the
    /// guard has to keep the host's stack away. `ipvsadm` is the link to Fairlead.
    ///
    ///     ns0 br0 10.0.0.2 ---- veth10 10.0.0.1 ns1 veth12 172.16.0.1 ---- veth21 172.16.0.2 ns2
    ///           \------------------------------------------------------- veth20 10.0.0.3
    @Suite(.enabled(if: Privileges.canMakeNamespaces, "\(Privileges.reason)")) struct KernelSelftest {
        private static let virtual = "207.175.44.110"
        private static let service = "\(virtual):8080"
        private static let server = "172.16.0.2"

        @Test func directRouting() async throws {
            try await withNetwork { network in
                try await virtualAddressAtServer(network, receiving: "veth21")
                try await bytesArrive(network, method: [], listed: "Route")
            }
        }

        @Test func masquerading() async throws {
            try await withNetwork { network in
                try await network.ip("ns2", "link delete veth20")
                try await network.ip("ns2", "route add default via 172.16.0.1 dev veth21")
                try await bytesArrive(network, method: ["-m"], listed: "Masq")
            }
        }

        // MARK: Steps

        private func withNetwork(_ body: (Namespaces) async throws -> Void) async throws {
            try await Namespaces.with("ns0", "ns1", "ns2") { network in
                try await network.join(("ns0", "veth01"), ("ns1", "veth10"))
                try await network.join(("ns0", "veth02"), ("ns2", "veth20"))
                try await network.join(("ns1", "veth12"), ("ns2", "veth21"))
                try await network.ip("ns0", "link add br0 type bridge")
                try await network.ip("ns0", "link set veth01 master br0")
                try await network.ip("ns0", "link set veth02 master br0")
                try await network.ip("ns0", "link set br0 up")
                try await network.ip("ns0", "address add 10.0.0.2/24 dev br0")
                try await network.ip("ns1", "address add 10.0.0.1/24 dev veth10")
                try await network.ip("ns1", "address add 172.16.0.1/24 dev veth12")
                try await network.ip("ns2", "address add \(Self.server)/24 dev veth21")
                try await network.ip("ns2", "address add 10.0.0.3/24 dev veth20")
                try await network.ip("ns0", "route add \(Self.virtual) via 10.0.0.1 dev br0")
                try await network.set("ns1", "ip_forward", 1)
                try await network.ip("ns1", "address add \(Self.virtual)/32 dev lo")
                try await body(network)
            }
        }

        /// The server has the virtual address too, answers no ARP for it, and takes requests on `receiving` though replies
        /// leave by another interface.
        private func virtualAddressAtServer(_ network: Namespaces, receiving: String) async throws {
            try await network.set("ns2", "conf.all.arp_ignore", 1)
            try await network.set("ns2", "conf.all.arp_announce", 2)
            try await network.set("ns2", "conf.all.rp_filter", 0)
            try await network.set("ns2", "conf.\(receiving).rp_filter", 0)
            try await network.ip("ns2", "address add \(Self.virtual)/32 dev lo")
        }

        /// 32 random bytes from the client reach the server whole, and the host at the director has no part in it.
        private func bytesArrive(_ network: Namespaces, method: [String], listed: String) async throws {
            let daemon = try await network.start(
                "ns1", [Program.path, "run", "--interface", "veth10", "--interface", "veth12"])
            try #require(try await daemon.writes("fairlead: ready"), "\(daemon.text)")
            try await addRules(network, method)

            let sent = network.directory + "/sent"
            let received = network.directory + "/received"
            let bytes = Data((0..<32).map { _ in UInt8.random(in: .min ... .max) })
            try bytes.write(to: URL(fileURLWithPath: sent))
            let server = try await network.start(
                "ns2", ["socat", "-d", "-d", "-u", "TCP-LISTEN:8080,reuseaddr", "CREATE:\(received)"])
            try #require(try await server.writes("listening on"), "\(server.text)")
            let client = try await network.run(
                "ns0", ["socat", "-u", "OPEN:\(sent)", "TCP:\(Self.service),connect-timeout=10"], seconds: 20)
            #expect(client.status == 0, "\(client)")
            #expect(try await server.end(within: 10) == 0, "\(server.text)")
            #expect(FileManager.default.contents(atPath: received) == bytes)

            let listing = try await ipvsadm(network, ["-Ln"])
            #expect(
                listing.lines.contains { $0.hasPrefix("  -> \(Self.server):8080") && $0.contains(listed) }, "\(listing)"
            )
            let connections = try await ipvsadm(network, ["-Lnc"])
            let entry = connections.lines.last?.split(separator: " ") ?? []
            #expect(entry.suffix(2) == ["\(Self.service)", "\(Self.server):8080"], "\(connections)")
            let resets = try await network.run("ns1", ["nstat", "-asz", "TcpOutRsts"])
            #expect(resets.lines.contains { $0.split(separator: " ").prefix(2) == ["TcpOutRsts", "0"] }, "\(resets)")
            #expect(try await daemon.stop() == 0, "\(daemon.text)")
            #expect(try await network.run("ns1", ["nft", "list", "tables"]).output.isEmpty)
        }

        private func addRules(_ network: Namespaces, _ method: [String]) async throws {
            let link = network.directory + "/ipvsadm"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: Program.path)
            for words in [
                ["-A", "-t", Self.service, "-s", "rr"],
                ["-a", "-t", Self.service, "-r", "\(Self.server):8080"] + method,
            ] {
                let outcome = try await ipvsadm(network, words)
                try #require(outcome.status == 0 && outcome.error.isEmpty, "\(words): \(outcome)")
            }
            let tables = try await network.run("ns1", ["nft", "list", "tables"])
            #expect(tables.output.contains("fairlead"), "\(tables)")
        }

        /// The link, found as a shell finds it.
        private func ipvsadm(_ network: Namespaces, _ words: [String]) async throws -> Outcome {
            let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/sbin:/usr/bin"
            return try await network.run(
                "ns1", ["ipvsadm"] + words, environment: ["PATH": "\(network.directory):\(path)"])
        }
    }
}
