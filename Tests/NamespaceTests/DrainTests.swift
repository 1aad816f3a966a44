import Foundation
import Testing

extension NamespaceTests {
    /// `fairlead drain` on real connections.
    @Suite struct Draining {
        /// `PORT`: connects, says `open`, waits for the other end; `closed` or `error ERRNO`.
        private static let silentClient = """
            import errno, socket, sys
            s = socket.socket()
            s.settimeout(40)
            s.connect((sys.argv[1], int(sys.argv[2])))
            print("open", flush=True)
            try: print("closed" if not s.recv(1) else "data")
            except OSError as e: print("error", errno.errorcode.get(e.errno, str(e)))
            """

        /// `ADDRESS`: takes `/bulk` from port 80 at 200 kB a second, through a socket that holds little; `closed` or
        /// `error ERRNO`.
        private static let slowDownload = """
            import errno, socket, sys, time
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.settimeout(40)
            s.connect((sys.argv[1], 80))
            s.sendall(b"GET /bulk HTTP/1.0\\r\\n\\r\\n")
            try:
                while s.recv(4096): time.sleep(0.02)
                print("closed")
            except OSError as e: print("error", errno.errorcode.get(e.errno, str(e)))
            """

        private func established(_ lab: Lab, _ server: String) async throws -> Int {
            try await lab.run(server, ["ss", "-Htn", "state", "established", "sport", "=", ":80"]).lines.count
        }

        /// A long download and a silent connection are open at the deadline: both ends of both are reset. New connections
        /// have gone elsewhere from the start.
        @Test func aLongDownloadIsResetAtTheDeadline() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let download = try await lab.start("client", ["python3", "-c", Self.slowDownload, Lab.virtual])
                _ = try await eventually(within: 20) { try await established(lab, "server3") == 1 }
                _ = try await lab.fetch(2)
                let silent = try await lab.start("client", ["python3", "-c", Self.silentClient, Lab.virtual, "80"])
                #expect(try await silent.writes("open"))
                #expect(try await established(lab, "server3") == 2)

                let drain = try await lab.start(
                    "director",
                    [Program.path, "drain", "\(Lab.virtual):80", "\(Lab.server(3)):80", "--deadline", "4s"])
                #expect(try await drain.writes("2 connections of 2 open"))
                #expect(drain.text.contains("\(Lab.client):") && drain.text.contains("ESTABLISHED"), "\(drain.text)")
                let answers = try await lab.fetch(4)
                #expect(Set(answers.lines) == ["server1", "server2"], "\(answers)")

                #expect(try await drain.end(within: 30) == 2, "\(drain.text)")
                #expect(
                    drain.text.contains("2 of 2 connections were ended at the deadline, 2 by reset, 0 without a word"),
                    "\(drain.text)")
                #expect(try await download.writes("error ECONNRESET", within: 20), "\(download.text)")
                #expect(try await silent.writes("error ECONNRESET", within: 20), "\(silent.text)")
                #expect(try await eventually(within: 20) { try await established(lab, "server3") == 0 })
                let listing = try await lab.ipvsadm("-Ln")
                #expect(listing.lines.contains { $0.contains("\(Lab.server(3)):80") && $0.contains("Masq    0 ") })
                #expect(try await daemon.stop() == 0)
            }
        }

        /// A download that ends in time is waited for; the client of the drain may leave and come back.
        @Test func whatEndsInTimeIsWaitedFor() async throws {
            try await Lab.with { lab in
                let daemon = try await lab.startFairlead()
                let download = try await lab.start(
                    "client",
                    ["curl", "-sS", "-o", "/dev/null", "--limit-rate", "16M", "http://\(Lab.virtual)/bulk"])
                _ = try await eventually(within: 20) { try await established(lab, "server3") == 1 }
                let words = ["drain", "\(Lab.virtual):80", "\(Lab.server(3)):80"]
                let first = try await lab.start("director", [Program.path] + words + ["--deadline", "55s"])
                #expect(try await first.writes("1 connection of 1 open"))
                _ = try await first.stop()
                let second = try await lab.fairlead(words + ["--watch"])
                #expect(second.status == 0, "\(second)")
                #expect(second.output.contains("the one connection ended by itself"), "\(second)")
                #expect(try await download.end(within: 20) == 0, "\(download.text)")
                let none = try await lab.fairlead(["drain", "\(Lab.virtual):80", "10.9.9.9:80", "--deadline", "1s"])
                #expect(none.status == 1 && none.error.contains("No such destination"), "\(none)")
                #expect(try await daemon.stop() == 0)
            }
        }
    }
}
