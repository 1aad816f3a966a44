import Foundation
import Testing

extension NamespaceTests {
    /// `run --local-clients`: connections that the director's own host opens to virtual addresses.
    @Suite(.enabled(if: Lab.canMakeTunDevices, "\(Lab.tunReason)"))
    struct LocalClients {
        @Test func theHostsOwnConnectionsAreBalanced() async throws {
            try await Lab.with { lab in
                // The servers have no way anywhere but to the director's address on their network.
                for number in 1...3 { try await lab.must("server\(number)", "ip route del default") }
                let before = try await lab.run(
                    "director", ["curl", "-sS", "--max-time", "2", "http://\(Lab.virtual):80/"])
                #expect(before.status != 0, "\(before)")
                let daemon = try await lab.startFairlead(["--local-clients"])
                #expect(
                    try await lab.must("director", "ip route get \(Lab.virtual)").contains(
                        "dev fairlead0 src 192.0.0.6"))
                let answers = try await lab.fetch(6, from: "director")
                let shares = Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
                #expect(shares == ["server1": 2, "server2": 2, "server3": 2], "\(answers)")
                let sum = try await lab.run(
                    "director",
                    [
                        "sh", "-c",
                        "curl -sS --max-time 50 http://\(Lab.virtual):8083/bulk | sha256sum | cut -d ' ' -f 1",
                    ])
                let expected = try await lab.run(
                    "server3",
                    ["sh", "-c", "curl -sS --max-time 50 http://127.0.0.1/bulk | sha256sum | cut -d ' ' -f 1"])
                #expect(sum.output == expected.output && sum.output.count == 65, "\(sum)")
                let datagram = try await lab.run(
                    "director", ["python3", "-c", Scripts.exchange, Lab.virtual, "7", "hello"])
                #expect(
                    datagram.output.hasPrefix("answer server") && datagram.output.hasSuffix(":hello\n"), "\(datagram)")
                // A port without a service is closed, at once.
                let closed = try await lab.run("director", ["python3", "-c", Scripts.connect, Lab.virtual, "9"])
                #expect(closed.output == "error ECONNREFUSED\n", "\(closed)")
                // What the host opens to a server itself is none of Fairlead's.
                #expect(try await lab.fetch(from: "director", Lab.server(1)).output == "server1\n")
                #expect(try await daemon.stop() == 0)
                #expect(try await !lab.must("director", "ip route").contains("fairlead0"))
            }
        }

        /// NAT to an address of the director's own host (a pod of the host's network): its stack would answer past the
        /// director, so it is reached through the device too, from a client and from the host itself.
        @Test(arguments: [Path(.nat, .v4), Path(.nat, .v6)])
        func aRealServerMayBeTheHostItself(path: Path) async throws {
            try await Lab.with(path.labOptions, webServers: false) { lab in
                for place in ["director", "server1"] {
                    let server = try await lab.start(place, ["python3", "-c", Scripts.dualServer, place])
                    guard try await server.writes("listening") else { throw LabFailure("\(place): \(server.text)") }
                }
                let isV6 = path.client == .v6
                let virtual = isV6 ? "[\(path.twoArmed)]:80" : "\(path.twoArmed):80"
                let servers = [1, 11].map { number -> String in
                    let address = Path.address(path.client, 2, number)
                    return "-a -t \(virtual) -r \(isV6 ? "[\(address)]" : address):80 -m\n"
                }
                let daemon = try await lab.startFairlead(
                    rules: "-A -t \(virtual) -s rr\n" + servers.joined(), ["--local-clients"])
                let url = path.url(path.twoArmed)
                for place in ["client", "director"] {
                    let answers = try await lab.run(place, ["curl", "-sS", "--max-time", "20", url + "?[1-6]"])
                    #expect(
                        answers.lines.sorted() == [
                            "director", "director", "director", "server1", "server1", "server1",
                        ],
                        "\(place): \(answers)")
                }
                try await lab.uploadsArrive(at: [url, url], megabytes: 8)
                // What is addressed to the host's server itself is none of Fairlead's.
                let own = path.url(Path.address(path.client, 2, 1))
                #expect(try await lab.run("client", ["curl", "-sS", "--max-time", "5", own]).output == "director\n")
                for place in ["client", "director", "server1"] {
                    #expect(try await lab.counter("TcpInCsumErrors", at: place) == 0)
                }
                #expect(try await daemon.stop() == 0)
            }
        }

        /// A new service is led there at once, a deleted one no more; and nothing stays of a daemon that was killed.
        @Test func routesFollowTheRules() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead(rules: "", ["--local-clients"])
                #expect(try await !lab.must("director", "ip route").contains("203.0.113.9"))
                #expect(try await lab.ipvsadm("-A -t 203.0.113.9:80").status == 0)
                #expect(try await lab.must("director", "ip route").contains("203.0.113.9 dev fairlead0"))
                #expect(try await lab.ipvsadm("-D -t 203.0.113.9:80").status == 0)
                #expect(try await !lab.must("director", "ip route").contains("203.0.113.9"))
                #expect(try await lab.ipvsadm("-A -t 203.0.113.9:80").status == 0)
                daemon.signal(SIGKILL)
                #expect(try await daemon.end(within: 10) != nil)
                let gone = try await eventually {
                    try await !lab.run("director", ["sh", "-c", "ip route; ip -brief link"]).output.contains(
                        "fairlead0")
                }
                #expect(gone)
            }
        }

        /// As kube-proxy's node: its own connections to cluster addresses, beside those of pods and others.
        @Test func clusterAddressesAreReachedFromTheNode() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "", ["--local-clients"])
                try await lab.must("server3", "ip route del default")
                let files = "\(Program.root)/Tests/KubernetesTests/Case"
                let manifests = try lab.write(
                    try String(contentsOfFile: "\(files)/manifests.yaml", encoding: .utf8)
                        .replacing("10.100.36.67", with: Lab.server(3)), to: "manifests.yaml")
                let applied = try await lab.fairlead(
                    ["kube", "--proxy-config", "\(files)/kube-proxy.yaml", "--manifests", manifests])
                #expect(applied.status == 0 && applied.error.isEmpty, "\(applied)")
                for place in ["director", "client"] {
                    #expect(
                        try await lab.fetch(2, port: 8083, from: place, "10.96.23.82").output == "server3\nserver3\n")
                }
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
