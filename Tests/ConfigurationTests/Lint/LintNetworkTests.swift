import Testing

@testable import Configuration

@Suite struct LintNetworkTests {
    private static func findings(_ yaml: String) throws -> [LintFinding] {
        let file = try ConfigurationFile(yaml: yaml)
        return Lint(file, network: LintNetwork(file) { _ in nil }).findings
    }

    private static func interfaces(_ servers: Int) -> String {
        "interfaces: [{name: c, mtu: 1500, networks: [198.18.10.0/24]}, "
            + "{name: s, mtu: \(servers), networks: [198.18.2.0/24]}]\n"
    }

    @Test func findsAddressesThatNobodyAsksFor() throws {
        let findings = try Self.findings(
            Self.interfaces(1500) + "services:\n"
                + "  - {address: 203.0.113.80:80, method: nat, destinations: [198.18.2.11]}\n"
                + "  - {address: 198.18.10.80:80, method: nat, destinations: [198.18.2.11]}\n")
        #expect(findings.map(\.check) == [.unattachedAddress] && findings[0].line == 3)
        #expect(findings[0].reason.contains("c 198.18.10.0/24; s 198.18.2.0/24"))
    }

    @Test(arguments: [
        ("tunnel", "", 1519, true), ("tunnel", "", 1520, false), ("tunnel", ", tunnel: {kind: gre}", 1523, true),
        ("tunnel", ", tunnel: {kind: gue, port: 1, checksum: remote}", 1539, true),
        ("tunnel", ", tunnel: {kind: gue, port: 1, checksum: remote}", 1540, false), ("nat", "", 1500, false),
        ("dr", "", 1500, false),
    ])
    func findsTunnelsThatAreTooNarrow(method: String, tunnel: String, mtu: Int, isFound: Bool) throws {
        let findings = try Self.findings(
            Self.interfaces(mtu) + "services: [{address: \"198.18.10.80:80\", method: \(method), "
                + "destinations: [{address: 198.18.2.11\(tunnel)}, {address: 198.18.2.12\(tunnel)}]}]")
        // One finding for a way, however many servers are behind it.
        #expect(findings.map(\.check) == (isFound ? [.shortMTU] : []))
        if isFound { #expect(findings[0].reason.contains("by s is \(mtu)")) }
    }

    @Test(arguments: [("toa", 1507, true), ("toa", 1508, false), ("proxy", 1500, false), ("none", 1500, false)])
    func findsRoomForTheClientsAddress(carrier: String, mtu: Int, isFound: Bool) throws {
        let findings = try Self.findings(
            Self.interfaces(mtu) + "services: [{address: \"198.18.10.80:80\", method: fullnat, client_address: "
                + "\(carrier), local_addresses: [198.18.2.100], destinations: [198.18.2.11]}]")
        #expect(findings.map(\.check) == (isFound ? [.shortMTU] : []))
    }
}
