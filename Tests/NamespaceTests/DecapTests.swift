import Foundation
import Glibc
import Testing

extension NamespaceTests {
    /// `fairlead decap` by itself: packets of tunnels from a program of the test's own.
    @Suite(.enabled(if: Lab.canMakeTunDevices, "\(Lab.tunReason)"))
    struct Decap {
        private static let server = "server1"

        @Test func whatIsRightArrivesAndWhatIsNotIsCounted() async throws {
            try await Lab.with(["--family", "6"], webServers: false) { lab in
                let decap = try await start(lab, ["--gue-port", "6080"])
                let recorder = try await startRecorder(lab)
                // Carrier, number of the datagram inside, and what is done to it.
                let right = [
                    "ipv4 1", "gre 2", "gue 3", "ipv4 4 partial", "gue 5 partial", "ipv4 6 long", "gue 7 long",
                    "ipv4-in-ipv6 8", "ipv4-in-ipv6 9 long", "gre 10 checksum", "gue 11 remote",
                ]
                let wrong = [
                    "ipv4 20 cut", "ipv4 21 version", "gre 22 contents", "gre 23 badchecksum", "gue 24 control",
                    "ipv4 25 congested",
                ]
                try await send(lab, right + wrong)
                let line = try await statistics(of: decap, received: right.count + wrong.count)
                #expect(
                    line == "received 17, delivered 11, refused 6 (truncated 1, version 1, contents 1, header 1, "
                        + "checksum 1, congestion 1), lost before us 0")
                #expect(try await eventually { recorder.numbers.count >= right.count })
                #expect(recorder.numbers.sorted() == Array(1...11), "\(recorder.text)")
                #expect(try await lab.counter("UdpInCsumErrors", at: Self.server) == 0)
                #expect(try await lab.counter("IpReasmOKs", at: Self.server) == 2)
                #expect(try await decap.stop() == 0)
            }
        }

        @Test func onlyItsDirectorsAreHeard() async throws {
            try await Lab.with(webServers: false) { lab in
                let decap = try await start(lab, ["--from", "198.18.2.12", "--from", "2001:db8:2::1"])
                let recorder = try await startRecorder(lab)
                try await send(lab, ["ipv4 1", "gre 2"])
                let refused = try await statistics(of: decap, received: 2)
                #expect(refused == "received 2, delivered 0, refused 2 (sender 2), lost before us 0")
                try await send(lab, ["ipv4 3"], from: "server2")
                #expect(try await eventually { recorder.numbers == [3] }, "\(recorder.text)")
                #expect(try await decap.stop() == 0)
            }
        }

        @Test(arguments: [SIGTERM, SIGINT, SIGKILL])
        func itsEndIsItsDevicesEnd(number: Int32) async throws {
            try await Lab.with(webServers: false) { lab in
                let decap = try await start(lab, [])
                #expect(try await lab.must(Self.server, "ip -brief link show dev decap0").contains("UP"))
                #expect(try await decap.stop(number) == (number == SIGKILL ? 128 + SIGKILL : 0))
                let gone = try await eventually {
                    try await lab.run(Self.server, ["ip", "link", "show", "dev", "decap0"]).status != 0
                }
                #expect(gone)
                if number != SIGKILL { #expect(decap.text.contains("received 0, delivered 0, refused 0")) }
            }
        }

        @Test func whatIsWrongIsSaidInOneLine() async throws {
            try await Lab.with(webServers: false) { lab in
                let decap = try await start(lab, ["--gue-port", "6080"])
                let cases: [(words: [String], parts: [String])] = [
                    (["--tun", "eth0"], ["eth0", "--tun"]),
                    (["--tun", "decap0"], ["decap0", "--tun"]),
                    (["--tun", "a-name-of-sixteen"], ["a-name-of-sixteen", "--tun"]),
                    (["--tun", "other", "--gue-port", "6080"], ["6080", "in use", "--gue-port"]),
                    (["--gue-port", "0"], ["--gue-port"]),
                    (["--from", "198.18.2.300"], ["198.18.2.300", "--from"]),
                ]
                for (words, parts) in cases {
                    try check(try await lab.run(Self.server, [Program.path, "decap"] + words), says: parts)
                }
                let bounded = ["setpriv", "--bounding-set=-all", Program.path, "decap", "--tun", "other"]
                try check(try await lab.run(Self.server, bounded), says: ["CAP_NET_RAW", "root"])
                let halfBounded = ["setpriv", "--bounding-set=-net_admin", Program.path, "decap", "--tun", "other"]
                try check(try await lab.run(Self.server, halfBounded), says: ["CAP_NET_ADMIN", "root"])
                #expect(try await decap.stop() == 0)
            }
        }

        // MARK: Parts

        private func start(_ lab: Lab, _ options: [String]) async throws -> RunningProgram {
            let decap = try await lab.start(Self.server, [Program.path, "decap"] + options)
            guard try await decap.writes("ready") else { throw LabFailure("fairlead decap: \(decap.text)") }
            #expect(decap.text == "fairlead decap: ready, device decap0\n")
            return decap
        }

        /// What `Scripts.dualServer` tells of datagrams to the virtual address, which is on `lo`.
        private func startRecorder(_ lab: Lab) async throws -> RunningProgram {
            try await lab.must(Self.server, "ip address add \(Lab.virtual)/32 dev lo")
            let recorder = try await lab.start(Self.server, ["python3", "-c", Scripts.dualServer, Self.server])
            guard try await recorder.writes("listening") else { throw LabFailure("server: \(recorder.text)") }
            return recorder
        }

        private func send(_ lab: Lab, _ packets: [String], from place: String = "director") async throws {
            let sent = try await lab.run(
                place, ["python3", "-c", Scripts.tunnelled, Lab.client, Lab.virtual] + packets)
            #expect(sent.status == 0, "\(sent)")
        }

        /// The counters, once `received` packets have come.
        private func statistics(of decap: RunningProgram, received: Int) async throws -> String {
            var last = ""
            _ = try await eventually {
                decap.signal(SIGUSR1)
                try await Task.sleep(for: .milliseconds(50))
                last = decap.text.split(separator: "\n").last.map(String.init) ?? ""
                return last.contains(" received \(received),")
            }
            return last.replacingOccurrences(of: "fairlead decap: ", with: "")
        }

        private func check(_ outcome: Outcome, says parts: [String]) throws {
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.isEmpty, "\(outcome)")
            let lines = outcome.error.split(separator: "\n")
            #expect(lines.count == 1 && outcome.error.hasPrefix("fairlead decap: "), "\(outcome)")
            for part in parts { #expect(outcome.error.contains(part), "\(part) in \(outcome)") }
        }
    }
}

extension RunningProgram {
    /// Numbers of the datagrams that `Scripts.dualServer` tells of; -1 for a changed one.
    var numbers: [Int] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "datagram" else { return nil }
            return words[2] == "intact" ? Int(words[1]) : -1
        }
    }
}
