import Foundation
import Testing

/// The checks of one method and family in a lab of their own.
final class ForwardingCheck {
    private let lab: Lab
    private let path: Path
    private let port: String
    private var recorders: [RunningProgram] = []
    private var firstQueryPort = 20001
    private static let servers = (1...3).map { "server\($0)" }

    /// - Parameter port: Of `--io`.
    init(lab: Lab, path: Path, port: String) {
        self.port = port
        self.lab = lab
        self.path = path
    }

    private func at(_ place: String, _ line: String, seconds: Int = 60) async throws -> Outcome {
        try await lab.run(place, line.split(separator: " ").map(String.init), seconds: seconds)
    }

    private func counters(_ names: [String], at place: String) async throws -> [String: Int] {
        let outcome = try await lab.run(place, ["nstat", "-asz"] + names)
        var values: [String: Int] = [:]
        for line in outcome.lines {
            let words = line.split(separator: " ")
            if words.count > 1, let value = Int(words[1]) { values[String(words[0])] = value }
        }
        return values
    }

    // MARK: Servers

    func startServers() async throws {
        var starting: [(program: RunningProgram, says: String)] = []
        for server in Self.servers {
            let recorder = try await lab.start(server, ["python3", "-c", Scripts.dualServer, server])
            recorders.append(recorder)
            let names = try await lab.start(
                server,
                [
                    "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--port=53",
                    "--txt-record=whoami.test,\(server)",
                ])
            starting += [(recorder, "listening"), (names, "started")]
        }
        starting.append((try await lab.start("server2", ["iperf3", "-s", "--forceflush"]), "listening"))
        for (program, word) in starting {
            guard try await program.writes(word) else { throw LabFailure("server: \(program.text)") }
        }
    }

    // MARK: Checks

    /// Round robin by both ways; each connection reached exactly one server, since none of them refused a segment.
    func requestsAreSpread() async throws {
        for address in [path.twoArmed, path.oneArmed] {
            let answers = try await at(
                "client", "curl -sS --max-time 20 -H Connection:close \(path.url(address))?[1-12]")
            #expect(answers.status == 0, "\(path) \(address): \(answers)")
            let shares = Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
            #expect(shares == ["server1": 4, "server2": 4, "server3": 4], "\(path) \(address): \(answers)")
        }
        for server in Self.servers {
            let counts = try await counters(["TcpPassiveOpens", "TcpOutRsts"], at: server)
            #expect(counts == ["TcpPassiveOpens": 8, "TcpOutRsts": 0], "\(path) \(server)")
        }
    }

    /// Numbered datagrams from many ports, of which every fifth is sent in fragments: each at one server, once. The client
    /// knows the path MTU of a tunnel by then: the first long datagram over IPv6 would be lost to learn it.
    func datagramsArriveOnce() async throws {
        let count = 60
        for (number, address) in [path.twoArmed, path.oneArmed].enumerated() {
            let first = number * count
            let sent = try await lab.run(
                "client", ["python3", "-c", Scripts.numbered, address, "7777", "\(first)", "\(count)"])
            #expect(sent.status == 0, "\(sent)")
            _ = try await eventually { arrivals.count >= first + count }
        }
        // What would come twice has come by the time these have been answered.
        try await namesAreAnswered()
        #expect(arrivals.sorted() == Array(0..<2 * count), "\(path): \(arrivals.sorted())")
        for recorder in recorders { #expect(recorder.numbers.count == 2 * count / 3, "\(path)") }
    }

    private var arrivals: [Int] { recorders.flatMap(\.numbers) }

    /// A port of its own for each query: of ports taken at random two may be one, and one connection entry. It is
    /// asked twice within a moment, so the second time goes on with other ports.
    func namesAreAnswered() async throws {
        let unspecified = path.twoArmed.contains(":") ? "::" : "0.0.0.0"
        let ports = firstQueryPort..<firstQueryPort + 6
        firstQueryPort = ports.upperBound
        let lines = ports.map { "whoami.test TXT -b \(unspecified)#\($0)\n" }
        let queries = try lab.write(lines.joined(), to: "queries")
        let answers = try await at("client", "dig +short +tries=1 +time=10 @\(path.twoArmed) -f \(queries)")
        let shares = Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
        #expect(shares == ["\"server1\"": 2, "\"server2\"": 2, "\"server3\"": 2], "\(path): \(answers)")
    }

    /// Both ways, with super-frames: iperf3, and data whose digest the server tells.
    func bulkArrivesIntact() async throws {
        try await lab.uploadsArrive(at: [path.twoArmed, path.oneArmed].map(path.url), megabytes: 16)
        let before = try await frames("eth0")
        try await transfer(["-c", path.twoArmed, "-t", "1"])
        let after = try await frames("eth0")
        let mean = (after.bytes - before.bytes) / max(1, after.count - before.count)
        // While XDP is attached to the other end, a veth interface sends none.
        #expect(port != "xdp" ? mean > 3000 : mean <= 1514, "the client sent \(mean) bytes a frame")
        try await transfer(["-c", path.twoArmed, "-t", "1", "-R"])
    }

    private func transfer(_ words: [String]) async throws {
        let outcome = try await lab.run("client", ["iperf3", "--connect-timeout", "5000"] + words)
        #expect(outcome.status == 0, "\(path) \(words): \(outcome)")
    }

    private func frames(_ interface: String) async throws -> (count: Int, bytes: Int) {
        let directory = "/sys/class/net/\(interface)/statistics"
        let words = try await lab.run("client", ["cat", "\(directory)/tx_packets", "\(directory)/tx_bytes"]).lines
        return (Int(words.first ?? "") ?? 0, Int(words.last ?? "") ?? 0)
    }

    /// A link of 1400 bytes before the servers, then one behind them on the way to the client.
    func pathMTUIsFound() async throws {
        // By libpcap, super-frames become segments that pass any link, so the first write there is one frame that does not.
        let words = ["-n", "2M"] + (port == "pcap" ? ["--length", "1360", "--no-delay"] : [])
        try await lab.must("director", "ip link set servers0 mtu 1400")
        try await transfer(["-c", path.twoArmed] + words)
        #expect(try await mtu("client", to: path.twoArmed) == 1400 - path.overhead)
        try await lab.must("director", "ip link set servers0 mtu 1500")

        try await lab.must("router", "ip link set client0 mtu 1400")
        try await transfer(["-c", path.oneArmed, "-R"] + words)
        try await lab.must("router", "ip link set client0 mtu 1500")
        // The server's peer is the client, or with FULLNAT one of the local addresses.
        var learned: [Int] = []
        for peer in path.method == .fullNAT ? path.localAddresses : [path.oneArmedClient] {
            if let mtu = try await mtu("server2", to: peer) { learned.append(mtu) }
        }
        #expect(learned == [path.method == .fullNAT ? 1400 + path.overhead : 1400], "\(path)")
    }

    /// The path MTU that `place` has learned.
    private func mtu(_ place: String, to address: String) async throws -> Int? {
        let words = try await lab.must(place, "ip route get \(address)").split(separator: " ")
        return words.firstIndex(of: "mtu").flatMap { words.indices.contains($0 + 1) ? Int(words[$0 + 1]) : nil }
    }

    func theAddressAnswers() async throws {
        for address in [path.twoArmed, path.oneArmed] {
            let ping = try await at("client", "ping -c 3 -i 0.2 -W 5 \(address)")
            #expect(ping.output.contains("3 packets transmitted, 3 received, 0% packet loss"), "\(path): \(ping)")
            #expect(!ping.output.contains("DUP"), "\(path): \(ping)")
        }
        let router = path.client == .v4 ? "198.18.3.1" : "2001:db8:3::1"
        for (address, hops) in [(path.twoArmed, [path.twoArmed]), (path.oneArmed, [router, path.oneArmed])] {
            for options in ["", "-T -p 80"] {
                let trace = try await at("client", "traceroute -n -q 1 -w 3 -m 5 \(options) \(address)")
                let seen = trace.lines.dropFirst().map {
                    $0.split(separator: " ").dropFirst().first.map(String.init) ?? ""
                }
                // By TCP the director is a hop of its own before the server; both answer from the virtual address.
                let expected = options.isEmpty ? hops : hops + [address]
                #expect(seen == expected, "\(path) \(options): \(trace)")
            }
        }
    }

    /// No wrong checksum anywhere, every frame has its end, nothing was dropped without a reason that was asked for.
    func nothingWasWrong() async throws {
        let names = [
            "TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors", "IcmpInCsumErrors", "Icmp6InCsumErrors",
            "IpInHdrErrors",
        ]
        for place in ["client"] + Self.servers {
            for (name, value) in try await counters(names, at: place) {
                #expect(value == 0, "\(path) \(place): \(name)")
            }
        }
        let isWhole = try await eventually {
            let status = try await lab.status()
            return status.endsAndWaiting == status.received
        }
        #expect(isWhole, "\(path)")
        let drops = try await lab.status().drops.filter { $0.value > 0 }
        #expect(Set(drops.keys).isSubset(of: ["too_big", "time_to_live"]), "\(path): \(drops)")
        #expect(drops["too_big", default: 0] > 0 && drops["time_to_live", default: 0] > 0, "\(path): \(drops)")
    }
}
