import Foundation
import Testing

extension NamespaceTests {
    /// fairlead.yaml, plan, apply, rollback and the state folder, with the live daemon.
    @Suite struct ConfigurationFiles {
        private static func yaml(_ servers: ClosedRange<Int>) -> String {
            let list = servers.map { "\(Lab.server($0)):80" }.joined(separator: ", ")
            return """
                interfaces: [client0, servers0]
                services:
                  - {address: "\(Lab.virtual):80", scheduler: rr, method: nat, destinations: [\(list)]}

                """
        }

        private static func start(_ lab: Lab, _ options: [String]) async throws -> RunningProgram {
            let daemon = try await lab.start("director", [Program.path, "run"] + options)
            guard try await daemon.writes("fairlead: ready, control socket ") else {
                throw LabFailure("fairlead run: \(daemon.text)")
            }
            return daemon
        }

        @Test func aFileIsPlannedAppliedRolledBackAndRestored() async throws {
            try await Lab.with { lab in
                let folder = lab.file("state")
                let three = try lab.write(Self.yaml(1...3), to: "three.yaml")
                let two = try lab.write(Self.yaml(1...2), to: "two.yaml")
                let daemon = try await Self.start(lab, ["--config", three, "--state", folder])
                #expect(Set(try await lab.fetch(3).lines) == ["server1", "server2", "server3"])

                let plan = try await lab.fairlead(["plan", two])
                #expect(plan.status == 0 && plan.output.contains("- 198.18.2.13:80"), "\(plan)")
                #expect(try await lab.ipvsadm("-S -n").lines.count == 4)
                let apply = try await lab.fairlead(["apply", two])
                #expect(apply.status == 0 && apply.output == plan.output, "\(apply)")
                #expect(Set(try await lab.fetch(4).lines) == ["server1", "server2"])
                // Those that stayed have kept their connections.
                let listing = try await lab.ipvsadm("-Ln")
                #expect(
                    listing.lines.count { $0.contains("198.18.2.1") && $0.hasSuffix(" 3         ") } == 2, "\(listing)")

                let bad = try lab.write("services: [{adress: x}]\n", to: "bad.yaml")
                let refused = try await lab.fairlead(["apply", bad])
                #expect(refused.status == 1 && refused.error.contains("bad.yaml: line 1, column 13"), "\(refused)")
                let lint = try await lab.fairlead(["lint", two])
                #expect(lint.status == 1 && lint.output.contains("unattached-address"), "\(lint)")

                #expect(try await lab.fairlead(["rollback"]).status == 0)
                #expect(Set(try await lab.fetch(3).lines) == ["server1", "server2", "server3"])
                let history = try await lab.fairlead(["history"]).lines
                #expect(history.count == 3 && history[1].contains("apply ") && history[0].contains("rollback"))
                // By hand, and saved when the daemon ends.
                #expect(try await lab.ipvsadm("-e -t \(Lab.virtual):80 -r \(Lab.server(3)):80 -m -w 0").status == 0)
                let saved = try await lab.ipvsadm("-S -n").output
                #expect(try await daemon.stop() == 0)

                let next = try await Self.start(
                    lab, ["--interface", "client0", "--interface", "servers0", "--state", folder])
                #expect(try await lab.ipvsadm("-S -n").output == saved)
                #expect(try await lab.fetch(2).lines.allSatisfy { $0 != "server3" })
                #expect(try await next.stop() == 0)

                // A torn file is not used, the one before it is.
                try await lab.must("director", "truncate -s -20 \(folder)/rules.yaml")
                let last = try await Self.start(
                    lab, ["--interface", "client0", "--interface", "servers0", "--state", folder])
                #expect(last.text.contains("rules.yaml is not used: it is torn"), "\(last.text)")
                #expect(try await lab.ipvsadm("-S -n").lines.count == 4)
                #expect(try await last.stop() == 0)
            }
        }

        @Test func aFileThatIsWrongDoesNotStart() async throws {
            try await Lab.with(webServers: false) { lab in
                let bad = try lab.write("interfaces: [client0]\nservices: [{address: x}]\n", to: "bad.yaml")
                let outcome = try await lab.run("director", [Program.path, "run", "--config", bad])
                #expect(outcome.status == 1 && outcome.error.contains("bad.yaml: line 2, column 22"), "\(outcome)")
            }
        }
    }
}
