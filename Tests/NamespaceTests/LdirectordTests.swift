import Foundation
import Glibc
import Testing

private let ldirectord = "/usr/sbin/ldirectord"

extension NamespaceTests {
    /// Debian's ldirectord with an ordinary configuration, driving Fairlead as its `/sbin/ipvsadm`.
    @Suite(.enabled(if: access(ldirectord, X_OK) == 0, "needs ldirectord; scripts/setup installs it"))
    struct Ldirectord {
        @Test func aServerThatFailsIsQuiescedAndRestored() async throws {
            try await withLdirectord(quiescent: true) { lab, servers in
                try #require(try await isListed(lab, Self.healthy))
                #expect(try await shares(lab) == ["server1": 2, "server2": 4])

                #expect(try await servers[0].stop() != nil)
                #expect(try await isListed(lab, Self.healthy.replacing("11:80 -m -w 1", with: "11:80 -m -w 0")))
                #expect(try await shares(lab) == ["server2": 6])

                try await lab.startWebServer("server1", port: 80)
                #expect(try await isListed(lab, Self.healthy))
                #expect(try await shares(lab) == ["server1": 2, "server2": 4])
            }
        }

        @Test func aServerThatFailsIsRemovedAndAddedAgain() async throws {
            try await withLdirectord(quiescent: false) { lab, servers in
                try #require(try await isListed(lab, Self.healthy))
                for server in servers { #expect(try await server.stop() != nil) }
                #expect(try await isListed(lab, Self.fallback))
                #expect(try await shares(lab) == ["server3": 6])

                for number in 1...2 { try await lab.startWebServer("server\(number)", port: 80) }
                #expect(try await isListed(lab, Self.healthy))
                #expect(try await shares(lab) == ["server1": 2, "server2": 4])
            }
        }

        // MARK: The configuration

        /// Two services: one that asks for a page, with weights and a fallback; one that only connects, persistent and with
        /// port translation.
        private static func configuration(quiescent: Bool) -> String {
            """
            checktimeout=5
            checkinterval=1
            checkcount=1
            quiescent=\(quiescent ? "yes" : "no")
            supervised=yes
            virtual=\(Lab.virtual):80
                real=\(Lab.server(1)):80 masq
                real=\(Lab.server(2)):80 masq 2
                fallback=\(Lab.server(3)):80 masq
                service=http
                request="index.html"
                receive="server"
                scheduler=wrr
                protocol=tcp
                checktype=negotiate
            virtual=\(Lab.virtual):8083
                real=\(Lab.server(1)):80 masq
                real=\(Lab.server(2)):80 masq
                service=http
                scheduler=wlc
                persistent=600
                protocol=tcp
                checktype=connect

            """
        }

        private static let healthy = """
            -A -t \(Lab.virtual):80 -s wrr
            -a -t \(Lab.virtual):80 -r \(Lab.server(1)):80 -m -w 1
            -a -t \(Lab.virtual):80 -r \(Lab.server(2)):80 -m -w 2
            -A -t \(Lab.virtual):8083 -s wlc -p 600
            -a -t \(Lab.virtual):8083 -r \(Lab.server(1)):80 -m -w 1
            -a -t \(Lab.virtual):8083 -r \(Lab.server(2)):80 -m -w 1

            """
        private static let fallback = """
            -A -t \(Lab.virtual):80 -s wrr
            -a -t \(Lab.virtual):80 -r \(Lab.server(3)):80 -m -w 1
            -A -t \(Lab.virtual):8083 -s wlc -p 600

            """

        // MARK: Steps

        /// Run `body` with ldirectord at work, end ldirectord, and see its services go.
        private func withLdirectord(
            quiescent: Bool, _ body: (Lab, [RunningProgram]) async throws -> Void
        ) async throws {
            try await Lab.with(webServers: false) { lab in
                var servers: [RunningProgram] = []
                for number in 1...3 { servers.append(try await lab.startWebServer("server\(number)", port: 80)) }
                let daemon = try await lab.startFairlead(rules: "")
                // Its process file in /run is named for its configuration.
                let configuration = try lab.write(Self.configuration(quiescent: quiescent), to: "\(lab.name).cf")
                let director = try await lab.start(
                    "director",
                    [
                        "unshare", "--mount", "--propagation", "private", "sh", "-c",
                        "mount --bind \"$1\" /sbin/ipvsadm && exec \(ldirectord) \"$2\" start", "sh", Program.path,
                        configuration,
                    ])
                try await body(lab, Array(servers.prefix(2)))
                #expect(try await director.stop(within: 30) == 0, "\(director.text)")
                #expect(try await lab.ipvsadm("-S -n").output.isEmpty)
                #expect(!director.text.contains("failed:"), "\(director.text)")
                #expect(try await daemon.stop() == 0, "\(daemon.text)")
            }
        }

        /// Wait until the rules are these.
        private func isListed(_ lab: Lab, _ rules: String) async throws -> Bool {
            var last = ""
            let isSo = try await eventually(within: 45) {
                last = try await lab.ipvsadm("-S -n").output
                return last == rules
            }
            if !isSo { Issue.record("the rules are\n\(last)and not\n\(rules)") }
            return isSo
        }

        /// How six requests are shared among the servers.
        private func shares(_ lab: Lab) async throws -> [String: Int] {
            let answers = try await lab.fetch(6)
            #expect(answers.status == 0, "\(answers)")
            return Dictionary(answers.lines.map { ($0, 1) }, uniquingKeysWith: +)
        }
    }
}
