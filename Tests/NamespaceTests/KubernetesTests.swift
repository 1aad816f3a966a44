import Foundation
import Testing

extension NamespaceTests {
    /// `fairlead kube` against the live daemon.
    @Suite struct Kubernetes {
        private static func file(_ name: String) -> String { "\(Program.root)/Tests/KubernetesTests/Case/\(name)" }

        private static func text(_ name: String) throws -> String {
            try String(contentsOfFile: file(name), encoding: .utf8)
        }

        private static let hasNameServer = ["dnsmasq", "dig"].allSatisfy { name in
            ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
            }
        }

        private func kube(_ lab: Lab, _ words: [String], input: String = "") async throws -> Outcome {
            try await lab.fairlead(["kube"] + words, input: input)
        }

        private static let files = ["--proxy-config", file("kube-proxy.yaml"), "--manifests", file("manifests.yaml")]

        /// `spec/kube`: both listings, byte for byte, as the live daemon prints them.
        @Test func theCase() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead(rules: "")
                #expect(try await lab.ipvsadm("-A -t 192.0.2.1:80 -s wlc").status == 0)
                let planned = try await kube(lab, Self.files + ["--dry-run"])
                #expect(planned.status == 0 && planned.lines.count == 23, "\(planned)")
                let applied = try await kube(lab, Self.files)
                #expect(applied.output == "5 services, 8 destinations: 23 changes\n", "\(applied)")
                // What was made by hand is there beside it, and goes only by hand.
                #expect(try await lab.ipvsadm("-D -t 192.0.2.1:80").status == 0)
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-before.txt")))
                #expect(try await lab.ipvsadm("-a -t 10.96.23.82:8083 -r 10.100.36.68:80 -m").status == 0)
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-after.txt")))
                let again = try await kube(
                    lab, ["--proxy-config", Self.file("kube-proxy.yaml"), "--manifests", "-"],
                    input: try Self.text("manifests.yaml"))
                #expect(again.output == "5 services, 8 destinations: 0 changes\n", "\(again)")
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-after.txt")))
                #expect(
                    try await lab.fairlead(["sysctl", "expire_nodest_conn"]).output
                        == "net.ipv4.vs.expire_nodest_conn = 1\n")
                #expect(try await kube(lab, ["--cleanup"]).output == "no services: 5 changes\n")
                #expect(try await lab.ipvsadm("-Ln").lines.count == 3)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func whatCannotBeUsedChangesNothing() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead(rules: "")
                #expect(try await kube(lab, Self.files).status == 0)
                let bad = try lab.write(
                    try Self.text("kube-proxy.yaml").replacing("mode: \"ipvs\"", with: "mode: \"iptables\""),
                    to: "bad.yaml")
                let refused = try await kube(lab, ["--proxy-config", bad, "--manifests", Self.file("manifests.yaml")])
                #expect(refused.status == 1)
                #expect(
                    refused.error.hasPrefix("fairlead kube: \(bad) line 40: mode: mode iptables is not for Fairlead"))
                let empty = try lab.write("kind: List\nitems: []\n", to: "empty.yaml")
                let nothing = try await kube(lab, ["--proxy-config", Self.files[1], "--manifests", empty])
                #expect(nothing.error == "fairlead kube: no Service in \(empty); nothing is changed\n")
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-before.txt")))
                #expect(try await daemon.stop() == 0)
                let alone = try await kube(lab, Self.files)
                #expect(alone.status == 1 && alone.error.contains("no Fairlead runs in this network namespace"))
            }
        }

        @Test func filesAreFollowed() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead(rules: "")
                let manifests = try lab.write(try Self.text("manifests.yaml"), to: "manifests.yaml")
                let follower = try await lab.start(
                    "director",
                    [Program.path, "kube", "--watch", "--proxy-config", Self.files[1], "--manifests", manifests])
                #expect(try await follower.writes("5 services, 8 destinations: 23 changes\n"), "\(follower.text)")
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-before.txt")))
                // Half a file says so and changes nothing.
                _ = try lab.write("kind: Service\nmetadata: {name: a\n", to: "manifests.yaml")
                #expect(try await follower.writes("neither YAML nor JSON"), "\(follower.text)")
                #expect(try await lab.ipvsadm("-Ln").output == (try Self.text("expected-before.txt")))
                _ = try lab.write(
                    try Self.text("manifests.yaml").replacing("10.100.36.67", with: "10.100.36.68"),
                    to: "manifests.yaml")
                let followed = try await eventually {
                    try await lab.ipvsadm("-Ln").output
                        == (try Self.text("expected-before.txt").replacing("10.100.36.67", with: "10.100.36.68"))
                }
                #expect(followed, "\(follower.text)")
                follower.signal(SIGTERM)
                #expect(try await follower.end(within: 10) != nil)
                #expect(try await daemon.stop() == 0)
            }
        }

        /// The server has no way back to the client: its replies find the director only because the client, which is no
        /// pod, was masqueraded.
        @Test func clientsOutsideTheClusterAreMasqueraded() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "")
                try await lab.must("server3", "ip route del default")
                let path = try lab.write(
                    try Self.text("manifests.yaml").replacing("10.100.36.67", with: Lab.server(3)), to: "manifests.yaml"
                )
                let applied = try await kube(
                    lab,
                    [
                        "--proxy-config", Self.files[1], "--manifests", path, "--masquerade-address", "198.18.2.200",
                    ])
                #expect(applied.status == 0 && applied.error.isEmpty, "\(applied)")
                #expect(try await lab.fetch(3, port: 8083, "10.96.23.82").output == "server3\nserver3\nserver3\n")
                let listing = try await lab.ipvsadm("-Ln -t 10.96.23.82:8083").lines
                let words = listing.last?.split(separator: " ").prefix(4).map(String.init)
                #expect(words == ["->", "\(Lab.server(3)):80", "Masq", "1"], "\(listing)")
                #expect(try await daemon.stop() == 0)
            }
        }

        /// `masqueradeAll`, as kube-proxy does it: the server sees the node's address on its network and has no way to the
        /// client. The node's own connections from that address go on as ever.
        @Test func theNodesOwnAddressMasquerades() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "")
                try await lab.must("server3", "ip route del default")
                let path = try lab.write(
                    try Self.text("manifests.yaml").replacing("10.100.36.67", with: Lab.server(3)), to: "manifests.yaml"
                )
                let configuration = try lab.write(
                    try Self.text("kube-proxy.yaml").replacing("masqueradeAll: false", with: "masqueradeAll: true"),
                    to: "proxy.yaml")
                let files = ["--proxy-config", configuration, "--manifests", path]
                let applied = try await kube(lab, files)
                #expect(applied.status == 0 && applied.error.isEmpty, "\(applied)")
                #expect(try await lab.fetch(3, port: 8083, "10.96.23.82").output == "server3\nserver3\nserver3\n")
                let sockets = try await lab.must("server3", "ss -Htn state all sport = :80 and dst 198.18.2.1")
                let ports = sockets.split(separator: "\n").compactMap { line in
                    line.split(separator: " ").last?.split(separator: ":").last.flatMap { Int($0) }
                }
                #expect(!ports.isEmpty && ports.allSatisfy { $0 >= 61_000 }, "\(sockets)")
                for _ in 1...3 {
                    #expect(try await lab.fetch(2, from: "director", Lab.server(3)).output == "server3\nserver3\n")
                }
                #expect(try await lab.must("server3", "ping -c 1 -W 5 198.18.2.1").contains("1 received"))
                // A host that gives out all of its ports keeps them.
                #expect(try await daemon.stop() == 0)
                let widened = try await lab.run(
                    "director", ["sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535"])
                #expect(widened.status == 0, "\(widened)")
                let other = try await lab.startFairlead(rules: "")
                let refused = try await kube(lab, files)
                #expect(
                    refused.status == 0 && refused.lines == ["5 services, 8 destinations: 13 changes"]
                        && refused.error.contains("ports 1024-65535") && refused.error.contains("61000-65535"),
                    "\(refused)")
                #expect(try await other.stop() == 0)
            }
        }

        /// The case's services over the lab's servers: pages, and names over UDP and TCP.
        @Test(.enabled(if: hasNameServer, "needs dnsmasq and dig"))
        func theCaseWithTraffic() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "")
                var manifests = try Self.text("manifests.yaml").replacing("10.100.36.67", with: Lab.server(3))
                for number in 1...2 {
                    manifests = manifests.replacing("10.100.169.\(128 + number)", with: Lab.server(number))
                    _ = try await lab.start(
                        "server\(number)",
                        [
                            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                            "--user=root", "--pid-file=", "--address=/server.test/\(Lab.server(number))",
                        ])
                }
                let path = try lab.write(manifests, to: "manifests.yaml")
                let configuration = try lab.write(
                    try Self.text("kube-proxy.yaml").replacing("10.100.0.1/16", with: "198.18.0.0/15"), to: "proxy.yaml"
                )
                #expect(try await kube(lab, ["--proxy-config", configuration, "--manifests", path]).status == 0)
                #expect(try await lab.fetch(2, port: 8083, "10.96.23.82").output == "server3\nserver3\n")
                for transport in ["+notcp", "+tcp"] {
                    // The servers may still be starting.
                    let answers = try await eventually {
                        var found: Set<String> = []
                        for _ in 1...2 {
                            let outcome = try await lab.run(
                                "client",
                                ["dig", "+short", "+tries=1", "+time=2", transport, "@10.96.0.10", "server.test"])
                            found.formUnion(outcome.lines)
                        }
                        return found == [Lab.server(1), Lab.server(2)]
                    }
                    #expect(answers, "\(transport)")
                }
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
