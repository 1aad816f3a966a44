import Balancer
import Testing

@testable import Configuration

@Suite struct LintTests {
    private static func findings(_ yaml: String) throws -> [LintFinding] {
        Lint(try ConfigurationFile(yaml: yaml)).findings
    }

    @Test func theExampleIsClean() throws {
        let file = try ConfigurationFile(yaml: try Examples.text("docs/fairlead.yaml"))
        // client0 is of no concern: servers and virtual addresses are elsewhere.
        let network = LintNetwork(file) { name in
            name == "client0" ? LintNetwork.Interface(name: name, mtu: 1500, networks: []) : nil
        }
        let lint = Lint(file, network: network)
        #expect(lint.findings.isEmpty, "\(lint.findings.map(\.text))")
        #expect(lint.unchecked.isEmpty)
    }

    @Test func findsPortChanges() throws {
        let findings = try Self.findings(
            """
            services:
              - address: 198.18.10.80:80
                method: dr
                destinations:
                  - 198.18.2.11
                  - 198.18.2.12:8080
                  - {address: 198.18.2.13:81, method: tunnel}
                  - {address: 198.18.2.14:81, method: nat}
              - {fwmark: 1, persistence: 5, method: dr, destinations: [198.18.2.11:80]}
            """)
        #expect(findings.map(\.check) == [.portChange, .portChange, .portChange])
        #expect(findings.map(\.line) == [6, 7, 9])
        #expect(findings.allSatisfy { $0.severity == .error && !$0.fix.isEmpty })
        #expect(findings[0].reason.contains("at port 80 and not at 8080"))
    }

    @Test func findsServicesThatTakeNobody() throws {
        let findings = try Self.findings(
            """
            services:
              - {address: 198.18.10.80:80}
              - {address: 198.18.10.80:81, method: nat, destinations: [{address: 198.18.2.11, weight: 0}]}
              - {address: 198.18.10.80:82, method: nat, destinations: [{address: 198.18.2.11, weight: 0}, 198.18.2.12]}
            """)
        #expect(findings.map(\.check) == [.noWeight, .noWeight])
        #expect(findings[0].reason.contains("no destinations") && findings[1].reason.contains("weight 0"))
    }

    @Test(arguments: [("sh", true), ("mh", true), ("maglev", true), ("rendezvous", true), ("dh", true), ("wlc", false)])
    func findsPersistenceWithAHash(scheduler: String, isFound: Bool) throws {
        let findings = try Self.findings(
            "services: [{address: \"198.18.10.80:80\", scheduler: \(scheduler), persistence: 60, method: nat, "
                + "destinations: [198.18.2.11]}]")
        #expect(findings.map(\.check) == (isFound ? [.persistenceAndHash] : []))
    }

    @Test func findsMarksThatLeadNowhere() throws {
        let findings = try Self.findings(
            """
            interfaces: [eth0]
            marks:
              - {dst: 203.0.113.80, mark: 5}
              - {dst: "2001:db8::80", mark: 5}
              - {dst: 203.0.113.81, interface: eth1, mark: 5}
            services: [{fwmark: 5, persistence: 60, method: dr, destinations: [198.18.2.11]}]
            """)
        #expect(findings.map(\.check) == [.unusedMark, .unknownInterface])
        #expect(findings.map(\.line) == [4, 5] && findings.map(\.severity) == [.warning, .error])
        #expect(findings[0].fix.contains("family: ipv6") && findings[1].fix.contains("eth0"))
    }

    @Test func findsDuplicates() throws {
        let findings = try Self.findings(
            """
            services:
              - {address: 198.18.10.80:80, method: nat, destinations: [198.18.2.11, 198.18.2.11:80]}
              - {address: 198.18.10.80:80, method: nat, destinations: [198.18.2.12]}
              - {address: 198.18.10.80:80, protocol: udp, method: nat, destinations: [198.18.2.12]}
            """)
        #expect(findings.map(\.check) == [.duplicate, .duplicate])
        #expect(findings.map(\.line) == [2, 3] && findings.allSatisfy { $0.severity == .error })
    }

    @Test func findsPoolsThatAreTooSmall() throws {
        func yaml(_ first: Int, _ second: Int) -> String {
            """
            pools: {a: [198.18.2.100], b: [198.18.2.101, 198.18.2.102]}
            services:
              - {address: 198.18.10.80:80, expected_connections: \(first), pool: a, method: fullnat, destinations: [198.18.2.11]}
              - {address: 198.18.10.80:81, expected_connections: \(second), pool: a, method: fullnat, destinations: [198.18.2.11]}
              - {address: 198.18.10.80:82, expected_connections: 129024, pool: b, method: fullnat, destinations: [198.18.2.11]}
            """
        }
        #expect(try Self.findings(yaml(64000, 512)).isEmpty)
        // Services that share an address share its ports.
        let findings = try Self.findings(yaml(64000, 513))
        #expect(findings.map(\.check) == [.smallPool])
        #expect(findings[0].reason.contains("64513 connections") && findings[0].fix.contains("2 addresses"))
    }

    @Test func saysWhatItCouldNotLookAt() throws {
        let file = try ConfigurationFile(yaml: "interfaces: [a, {name: b, mtu: 1500, networks: []}]\nservices: []")
        #expect(Lint(file).unchecked.count == 1)
        let network = LintNetwork(file) { _ in nil }
        #expect(Lint(file, network: network).unchecked.map { $0.contains("no such interface") } == [true])
    }
}
