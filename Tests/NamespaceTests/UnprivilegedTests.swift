import Foundation
import Glibc
import Testing

extension NamespaceTests {
    /// The same without root: in a user namespace. Where the tests run without root all of them are so.
    @Suite struct Unprivileged {
        private static let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        /// Whether nobody may make namespaces here.
        private static let isPossible: Bool = {
            guard geteuid() == 0 else { return false }
            let probe = Process()
            probe.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            probe.arguments = nobody + ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"]
            probe.standardError = FileHandle.nullDevice
            guard (try? probe.run()) != nil else { return false }
            probe.waitUntilExit()
            return probe.terminationStatus == 0
        }()
        private static let reason =
            geteuid() == 0
            ? "this kernel allows users no user namespaces" : "without root all the other tests show it"

        @Test(.enabled(if: isPossible, "\(reason)"))
        func requestsAreSpreadEvenlyWithoutRoot() async throws {
            try await Lab.with(prefix: Self.nobody) { lab in
                let daemon = try await lab.startFairlead()
                let owner = try await runProgram(["stat", "-c", "%u", "/proc/\(daemon.process)"])
                #expect(owner.output == "65534\n")
                let answers = try await lab.fetch(30)
                #expect(answers.status == 0, "\(answers)")
                let shares = Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
                #expect(shares == ["server1": 10, "server2": 10, "server3": 10])
                #expect(try await lab.ipvsadm("-Ln").lines.count == 12)
                #expect(try await daemon.stop() == 0)
                #expect(try await lab.tables().isEmpty)
            }
        }
    }
}
