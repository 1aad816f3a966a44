import Foundation
import Glibc
import Testing

extension NamespaceTests {
    /// `fairlead ipvsadm` against the live daemon.
    @Suite struct RuleCommands {
        private static let service = "\(Lab.virtual):80"

        /// Bad rules with what ipvsadm says to them.
        private static let refusals: [(line: String, status: Int32, message: String)] = [
            ("-A -t \(service) -s rr", 255, "Service already exists"),
            ("-a -t \(service) -r 198.18.2.11:80 -m", 255, "Destination already exists"),
            ("-a -t \(Lab.virtual):81 -r 198.18.2.11:80 -m", 255, "Service not defined"),
            ("-D -t \(Lab.virtual):81", 255, "No such service"),
            ("-E -t \(Lab.virtual):81 -s rr", 255, "No such service"),
            ("-d -t \(service) -r 198.18.2.99:80", 255, "No such destination"),
            ("-e -t \(service) -r 198.18.2.99:80 -m", 255, "No such destination"),
            ("-A -t \(Lab.virtual):81 -s nosuch", 255, "Scheduler or persistence engine not found"),
            ("-A -t 999.1.1.1:80 -s rr", 2, "illegal virtual server address[:port] specified"),
            ("-A -t \(Lab.virtual):70000 -s rr", 2, "illegal virtual server address[:port] specified"),
            ("-a -t \(service) -r 198.18.2.15:99999 -m", 2, "illegal real server address[:port] specified"),
            ("-a -t \(service) -r 198.18.2.15:80 -m -g", 2, "multiple 'forwarding-method' options specified"),
            ("-a -t \(service) -r 198.18.2.15:80 -m -w abc", 2, "illegal weight specified"),
            ("-A -t \(service) -u \(service)", 2, "multiple 'service-address' options specified"),
            ("-L -t \(Lab.virtual):81 -n", 1, "No such service"),
            ("--nosuch", 255, "Try `ipvsadm -h' or 'ipvsadm --help' for more information."),
        ]

        @Test func listingsShowTheTraffic() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                #expect(try await lab.fetch(6).lines.count == 6)
                // The client's last FIN may still be on its way.
                let settled = try await eventually {
                    try await lab.ipvsadm("-Ln -t \(Self.service)").output.contains(" 1      0          2         \n")
                }
                #expect(settled)
                let listing = try await lab.ipvsadm("-Ln")
                #expect(listing.status == 0 && listing.error.isEmpty, "\(listing)")
                #expect(
                    listing.output == """
                        IP Virtual Server version 1.2.1 (size=4096)
                        Prot LocalAddress:Port Scheduler Flags
                          -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
                        TCP  198.18.10.80:80 rr
                          -> 198.18.2.11:80               Masq    1      0          2         
                          -> 198.18.2.12:80               Masq    1      0          2         
                          -> 198.18.2.13:80               Masq    1      0          2         
                        TCP  198.18.10.80:8083 rr
                          -> 198.18.2.13:80               Masq    1      0          0         
                        UDP  198.18.10.80:7 rr
                          -> 198.18.2.11:7777             Masq    1      0          0         
                          -> 198.18.2.12:7777             Masq    1      0          0         

                        """)
                let entries = try await lab.ipvsadm("-Lnc").lines
                #expect(entries.count == 8)
                #expect(entries.first == "IPVS connection entries")
                for line in entries.dropFirst(2) {
                    let words = line.split(separator: " ").map(String.init)
                    #expect(words.count == 6 && words[0] == "TCP" && words[4] == Self.service, "\(line)")
                    #expect(words[3].hasPrefix(Lab.client + ":"))
                }
                // Counters are folded in every 2 seconds, as in the kernel.
                let counted = try await eventually {
                    let lines = try await lab.ipvsadm("-Ln --stats -t \(Self.service)").lines
                    guard let line = lines.first(where: { $0.hasPrefix("TCP  ") }) else { return false }
                    let numbers = line.split(separator: " ").dropFirst(2).compactMap { Int($0) }
                    return numbers.count == 5 && numbers[0] == 6 && numbers.allSatisfy { $0 > 0 }
                }
                #expect(counted)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func refusedRulesLeaveWhatWasThere() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead()
                let before = try await lab.ipvsadm("-S -n")
                #expect(before.lines.count == 9)
                for refusal in Self.refusals {
                    let outcome = try await lab.ipvsadm(refusal.line)
                    #expect(outcome.status == refusal.status, "\(refusal.line): \(outcome)")
                    #expect(outcome.error.contains(refusal.message), "\(refusal.line): \(outcome)")
                    #expect(outcome.output.isEmpty, "\(refusal.line): \(outcome)")
                }
                #expect(try await lab.ipvsadm("-S -n").output == before.output)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func aChangeIsInForceWhenTheCommandReturns() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead(rules: "")
                #expect(try await lab.ipvsadm("-A -t \(Self.service) -s rr").status == 0)
                // A new server is the first of the list, and the turn goes on behind the last pick.
                for (number, answers) in [(1, ["server1"]), (2, ["server2"]), (3, ["server1", "server3"])] {
                    #expect(try await lab.ipvsadm("-a -t \(Self.service) -r \(Lab.server(number)):80 -m").status == 0)
                    #expect(try await lab.fetch(answers.count).lines == answers)
                }
                #expect(try await lab.ipvsadm("-d -t \(Self.service) -r \(Lab.server(3)):80").status == 0)
                let left = try await lab.fetch(4).lines
                #expect(left.count == 4 && !left.contains("server3"))
                // A server on which nothing listens answers with a reset, which finds its way back.
                #expect(try await lab.ipvsadm("-A -t \(Lab.virtual):81 -s rr").status == 0)
                #expect(try await lab.ipvsadm("-a -t \(Lab.virtual):81 -r \(Lab.server(1)):81 -m").status == 0)
                #expect(try await lab.connect(port: 81) == "error ECONNREFUSED")
                #expect(try await lab.counter("TcpOutRsts", at: "server1") == 1)
                // Without its service the address is still ours, for the other one's sake, and its port refuses.
                #expect(try await lab.ipvsadm("-D -t \(Self.service)").status == 0)
                #expect(try await lab.connect(port: 80) == "error ECONNREFUSED")
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func savedRulesAreRestored() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead()
                let saved = try await lab.ipvsadm("-S -n")
                #expect(saved.lines.first == "-A -t \(Self.service) -s rr")
                #expect(try await lab.ipvsadm("-C").status == 0)
                #expect(try await lab.ipvsadm("-S -n").output.isEmpty)
                let restored = try await lab.ipvsadm("-R", input: saved.output)
                #expect(restored.status == 0 && restored.error.isEmpty, "\(restored)")
                #expect(try await lab.ipvsadm("-S -n").output == saved.output)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func clientsFindTheSocketTheyAreTold() async throws {
            try await Lab.with(webServers: false) { lab in
                let path = lab.file("control")
                let daemon = try await lab.startFairlead(["--control", path])
                #expect(daemon.controlSocket == path)
                let mode = try await lab.must("director", "stat -c %a:%F \(path)")
                #expect(mode == "600:socket\n")

                let expected = try await lab.ipvsadm("--control \(path) -Ln")
                #expect(expected.status == 0 && expected.lines.count == 12, "\(expected)")
                let byVariable = try await lab.run(
                    "director", ["env", "FAIRLEAD_CONTROL=\(path)", Program.path, "ipvsadm", "-Ln"])
                #expect(byVariable.output == expected.output)
                let optionWins = try await lab.run(
                    "director",
                    ["env", "FAIRLEAD_CONTROL=/nonexistent", Program.path, "ipvsadm", "--control", path, "-Ln"])
                #expect(optionWins.output == expected.output)
                let link = lab.file("ipvsadm")
                try await lab.must("director", "ln -s \(Program.path) \(link)")
                let byName = try await lab.run("director", ["env", "FAIRLEAD_CONTROL=\(path)", link, "-Ln"])
                #expect(byName.output == expected.output)

                // At the default place there is nobody.
                let nobody = try await lab.ipvsadm("-Ln")
                #expect(nobody.status == 2 && nobody.output.isEmpty)
                #expect(nobody.error.hasPrefix("ipvsadm: no Fairlead runs") && nobody.lines.isEmpty, "\(nobody)")
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test(.enabled(if: geteuid() == 0, "needs root to become another user"))
        func otherUsersAreRefused() async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead()
                let outcome = try await lab.run(
                    "director",
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", Program.path, "ipvsadm", "-C"])
                #expect(outcome.status == 2 && outcome.error.contains("Permission denied"), "\(outcome)")
                #expect(try await lab.ipvsadm("-S -n").lines.count == 9)
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
