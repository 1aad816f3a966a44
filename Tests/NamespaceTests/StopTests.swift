import Foundation
import Glibc
import Testing

extension NamespaceTests {
    /// However the daemon ends, the host is as it was.
    @Suite struct Stopping {
        @Test(arguments: [SIGTERM, SIGINT])
        func aSignalRemovesSocketAndGuard(number: Int32) async throws {
            try await Lab.with(webServers: false) { lab in
                let daemon = try await lab.startFairlead()
                let socket = daemon.controlSocket
                #expect(try await lab.tables().contains("fairlead"))
                #expect(try await lab.run("director", ["test", "-S", socket]).status == 0)
                #expect(try await daemon.stop(number) == 0)
                #expect(try await lab.run("director", ["test", "-e", socket]).status == 1)
                #expect(try await lab.tables().isEmpty)
                #expect(!daemon.text.contains("error"), "\(daemon.text)")
            }
        }

        @Test func killedItLeavesNothingButASocketThatTheNextOneReplaces() async throws {
            try await Lab.with { lab in
                try await lab.must("director", "ip address add \(Lab.virtual)/32 dev lo")
                let killed = try await lab.startFairlead()
                let socket = killed.controlSocket
                #expect(try await lab.fetch().status == 0)
                #expect(try await killed.stop(SIGKILL) == 128 + SIGKILL)
                // The kernel removes the table when it closes the daemon's socket.
                #expect(try await eventually { try await lab.tables().isEmpty })
                // The host has its address to itself again: it resets.
                #expect(try await lab.connect(port: 80) == "error ECONNREFUSED")
                #expect(try await lab.run("director", ["test", "-S", socket]).status == 0)
                let nobody = try await lab.ipvsadm("-Ln")
                #expect(nobody.status == 2 && nobody.error.contains("no Fairlead runs"), "\(nobody)")

                let next = try await lab.startFairlead()
                #expect(next.controlSocket == socket)
                #expect(try await lab.fetch(3).lines.sorted() == ["server1", "server2", "server3"])
                #expect(try await next.stop() == 0)
                #expect(try await lab.tables().isEmpty)
            }
        }
    }
}
