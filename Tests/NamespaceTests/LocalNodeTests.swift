import Testing

extension NamespaceTests {
    /// The director as one of its own real servers, which has the virtual address.
    @Suite struct LocalNode {
        @Test(arguments: [Path(.dr, .v4), Path(.dr, .v6)])
        func theHostServesItsShare(path: Path) async throws {
            try await Lab.with(path.labOptions, webServers: false) { lab in
                let isV6 = path.client == .v6
                let virtual = isV6 ? "[\(path.twoArmed)]" : path.twoArmed
                try await lab.must("director", "ip address add \(path.twoArmed)/\(isV6 ? "128 nodad" : "32") dev lo")
                for place in ["director", "server1"] {
                    let server = try await lab.start(place, ["python3", "-c", Scripts.dualServer, place])
                    guard try await server.writes("listening") else { throw LabFailure("\(place): \(server.text)") }
                }
                let rules = [80, 81].map { port -> String in
                    let servers = (port == 80 ? [1, 11] : [1]).map { Path.address(path.client, 2, $0) }
                    return "-A -t \(virtual):\(port) -s rr\n"
                        + servers.map { "-a -t \(virtual):\(port) -r \(isV6 ? "[\($0)]" : $0):\(port) -g\n" }.joined()
                }
                let daemon = try await lab.startFairlead(rules: rules.joined())
                let url = path.url(path.twoArmed)
                let answers = try await lab.run("client", ["curl", "-sS", "--max-time", "20", url + "?[1-6]"])
                #expect(
                    answers.lines.sorted() == ["director", "director", "director", "server1", "server1", "server1"])
                try await lab.uploadsArrive(at: [url, url], megabytes: 8)
                // A port on which the host does not listen: its own stack refuses.
                #expect(try await lab.connect(port: 81, address: path.twoArmed) == "error ECONNREFUSED")
                #expect(try await lab.counter("TcpInCsumErrors", at: "director") == 0)
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
