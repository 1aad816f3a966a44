import Foundation
import Glibc
import Testing

extension NamespaceTests {
    /// Starting: what a daemon says that cannot start, and that one has started.
    @Suite struct Starting {
        @Test func whatIsWrongIsSaidInOneLine() async throws {
            try await Lab.with(webServers: false) { lab in
                let bad = try lab.write(
                    "# services\n-A -t 198.18.10.80:80 -s rr\n-A -t 300.1.1.1:80 -s rr\n", to: "bad")
                let cases: [(words: [String], parts: [String])] = [
                    (["--interface", "nosuch0"], ["nosuch0", "ip link"]),
                    (
                        ["--interface", "client0", "--rules", bad],
                        ["\(bad) line 3", "illegal virtual server address[:port] specified"]
                    ),
                    (["--interface", "client0", "--rules", "/nonexistent"], ["/nonexistent", "--rules"]),
                    (["--interface", "client0", "--sysctl", "nosuch=1"], ["nosuch", "fairlead sysctl"]),
                    (
                        ["--interface", "client0", "--control", "/nonexistent/socket"],
                        ["/nonexistent/socket", "--control"]
                    ),
                ]
                for (words, parts) in cases {
                    try check(try await lab.fairlead(["run"] + words), says: parts)
                }
                #expect(try await lab.tables().isEmpty)
            }
        }

        @Test func withoutPermissionItSaysWhichIsMissing() async throws {
            try await Lab.with(webServers: false) { lab in
                let run = [Program.path, "run", "--interface", "client0"]
                let bounded = try await lab.run("director", ["setpriv", "--bounding-set=-all"] + run)
                try check(bounded, says: ["CAP_NET_RAW", "root"])
                guard geteuid() == 0 else { return }
                let nobody = try await lab.run(
                    "director", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + run)
                try check(nobody, says: ["CAP_NET_RAW", "root"])
            }
        }

        /// `--realtime`: the workers' policy, and no others'; without the capability, what is missing.
        @Test func workersMayBeRealTime() async throws {
            try await Lab.with { lab in
                let run = [Program.path, "run", "--interface", "client0", "--realtime"]
                let refused = try await lab.run("director", ["setpriv", "--bounding-set=-sys_nice"] + run)
                try check(refused, says: ["real-time", "CAP_SYS_NICE"])
                let daemon = try await lab.startFairlead(["--realtime"])
                #expect(try await lab.fetch(3).lines.count == 3)
                let tasks = "/proc/\(daemon.process)/task"
                for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
                    let name = try String(contentsOfFile: "\(tasks)/\(task)/comm", encoding: .utf8)
                    let policy = sched_getscheduler(try #require(pid_t(task)))
                    #expect(policy == (name.hasPrefix("fl-worker") ? SCHED_FIFO : SCHED_OTHER), "\(name)")
                }
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test func aControlSocketInUseIsLeftAlone() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let second = try await lab.fairlead(["run", "--interface", "client0"])
                try check(second, says: ["in use", "--control", daemon.controlSocket])
                // The first one still serves.
                #expect(try await lab.fetch(3).lines.count == 3)
                #expect(try await lab.ipvsadm("-Ln").status == 0)
                #expect(try await daemon.stop() == 0)
            }
        }

        @Test(arguments: [false, true])
        func systemdIsToldWhenItIsReady(inAbstractNamespace: Bool) async throws {
            try await Lab.with(webServers: false) { lab in
                let socket = inAbstractNamespace ? "@fairlead-\(lab.name)" : lab.file("notify")
                let manager = try await lab.start("director", ["python3", "-c", Scripts.notified, socket])
                #expect(try await manager.writes("bound"))
                let daemon = try await lab.startFairlead(environment: ["NOTIFY_SOCKET": socket])
                #expect(try await manager.end(within: 10) == 0)
                #expect(manager.text.split(separator: "\n").contains("READY=1"), "\(manager.text)")
                #expect(try await lab.ipvsadm("-Ln").status == 0)
                #expect(try await daemon.stop() == 0)
            }
        }

        private func check(_ outcome: Outcome, says parts: [String]) throws {
            #expect(outcome.status == 1, "\(outcome)")
            #expect(outcome.output.isEmpty, "\(outcome)")
            let lines = outcome.error.split(separator: "\n")
            #expect(lines.count == 1 && outcome.error.hasPrefix("fairlead: "), "\(outcome)")
            for part in parts { #expect(outcome.error.contains(part), "\(part) in \(outcome)") }
        }
    }
}
