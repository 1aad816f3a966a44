import Foundation
import Glibc
import TestSupport
import Testing

private let keepalived = "/usr/sbin/keepalived"

extension NamespaceTests {
    /// Two directors with the same rules, between which Debian's keepalived moves the virtual address, and the server's
    /// gateway with it.
    ///
    ///     client 198.18.1.10 --- outside --- one 198.18.1.1, two 198.18.1.2
    ///     server 198.18.2.11 --- inside ---- one 198.18.2.1, two 198.18.2.2      (outside and inside: bridges)
    @Suite(
        .enabled(if: Privileges.canMakeNamespaces, "\(Privileges.reason)"),
        .enabled(if: access(keepalived, X_OK) == 0, "needs keepalived; scripts/setup installs it"))
    struct Keepalived {
        private static let virtual = "198.18.1.80"
        private static let rules = "-A -t \(virtual):80 -s rr\n-a -t \(virtual):80 -r 198.18.2.11:80 -m\n"

        @Test func theAddressAndItsServiceMoveTogether() async throws {
            try await Namespaces.with("client", "one", "two", "server", "switch") { network in
                try await wire(network)
                let server = try await network.start("server", ["python3", "-c", Scripts.server, "server", "80", "1"])
                try #require(try await server.writes("listening"), "\(server.text)")
                for director in ["one", "two"] {
                    let daemon = try await network.start(
                        director,
                        [Program.path, "run", "--interface", "out0", "--interface", "in0", "--only-host-addresses"]
                            + ["--rules", try write(network, "rules", Self.rules)])
                    try #require(try await daemon.writes("fairlead: ready"), "\(daemon.text)")
                }
                let first = try await startKeepalived(network, "one", priority: 150)
                _ = try await startKeepalived(network, "two", priority: 100)
                try #require(try await isServed(network, by: "one"))

                #expect(try await first.stop() == 0, "\(first.text)")
                try #require(try await isServed(network, by: "two"))
                // The standby has the rules and not the address: it answers nobody's question for it.
                let capture = try await network.start(
                    "client", ["tcpdump", "-l", "-n", "-e", "-i", "out0", "arp[6:2] == 2"])
                try #require(try await capture.writes("listening on"))
                for _ in 1...3 {
                    _ = try await network.run("client", ["ip", "neighbour", "flush", "all"])
                    #expect(try await fetch(network) == "server\n")
                }
                #expect(try await capture.writes("\(Self.virtual) is-at"), "\(capture.text)")
                let standby = try await mac(network, "one")
                #expect(!capture.text.contains("\(Self.virtual) is-at \(standby)"), "\(capture.text)")

                _ = try await startKeepalived(network, "one", priority: 150)
                #expect(try await isServed(network, by: "one"))
            }
        }

        // MARK: Steps

        private func wire(_ network: Namespaces) async throws {
            for bridge in ["outside", "inside"] {
                try await network.ip("switch", "link add \(bridge) type bridge")
                try await network.ip("switch", "link set \(bridge) up")
            }
            for (place, interface, bridge, address) in [
                ("client", "out0", "outside", "198.18.1.10"), ("one", "out0", "outside", "198.18.1.1"),
                ("two", "out0", "outside", "198.18.1.2"), ("server", "in0", "inside", "198.18.2.11"),
                ("one", "in0", "inside", "198.18.2.1"), ("two", "in0", "inside", "198.18.2.2"),
            ] {
                try await network.join((place, interface), ("switch", "\(place)-\(interface)"))
                try await network.ip("switch", "link set \(place)-\(interface) master \(bridge)")
                try await network.ip(place, "address add \(address)/24 dev \(interface)")
            }
            try await network.ip("server", "route add default via 198.18.2.254")
        }

        private func startKeepalived(_ network: Namespaces, _ place: String, priority: Int) async throws
            -> RunningProgram
        {
            func instance(_ interface: String, _ number: Int, _ address: String) -> String {
                """
                vrrp_instance \(interface) {
                    state BACKUP
                    interface \(interface)
                    virtual_router_id \(number)
                    priority \(priority)
                    advert_int 1
                    virtual_ipaddress {
                        \(address)/32 dev \(interface)
                    }
                }

                """
            }
            let configuration = try write(
                network, "\(place).conf",
                instance("out0", 51, Self.virtual) + instance("in0", 52, "198.18.2.254")
                    + "vrrp_sync_group both {\n    group {\n        out0\n        in0\n    }\n}\n")
            return try await network.start(
                place,
                [keepalived, "--dont-fork", "--log-console", "--vrrp", "--use-file", configuration]
                    + [
                        "--pid", "\(network.directory)/\(place).pid", "--vrrp_pid",
                        "\(network.directory)/\(place).vrrp",
                    ])
        }

        /// Wait until the address is at `place`, and the service answers there.
        private func isServed(_ network: Namespaces, by place: String) async throws -> Bool {
            try await eventually(within: 30) {
                let addresses = try await network.run(place, ["ip", "-brief", "address", "show", "dev", "out0"])
                guard addresses.output.contains(Self.virtual + "/32") else { return false }
                guard try await fetch(network) == "server\n" else { return false }
                let neighbor = try await network.run("client", ["ip", "neighbour", "show", Self.virtual])
                return try await neighbor.output.contains(mac(network, place))
            }
        }

        private func fetch(_ network: Namespaces) async throws -> String {
            try await network.run("client", ["curl", "-sS", "--max-time", "5", "http://\(Self.virtual)/"]).output
        }

        private func mac(_ network: Namespaces, _ place: String) async throws -> String {
            try await network.run(place, ["cat", "/sys/class/net/out0/address"]).output
                .trimmingCharacters(in: .newlines)
        }

        private func write(_ network: Namespaces, _ name: String, _ text: String) throws -> String {
            let path = "\(network.directory)/\(name)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }
    }
}
