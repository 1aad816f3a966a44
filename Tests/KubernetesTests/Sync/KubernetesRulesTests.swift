import Balancer
import Control
import Foundation
import Testing
import Wire

@testable import Kubernetes

@Suite struct KubernetesRulesTests {
    private let engine = Engine(EngineConfiguration(entries: 1024, secret: HashSecret(1, 2)))
    private let executor = CommandExecutor(resolver: SystemResolver())
    private let rules = KubernetesRules()

    private func request(
        _ change: (inout ClusterObjects, inout ProxyConfiguration) -> Void = { _, _ in }
    ) throws -> SyncRequest {
        var reader = ManifestReader()
        try reader.read(try Case.text("manifests.yaml"), name: "manifests.yaml")
        var objects = reader.objects
        var configuration = try ProxyConfiguration(reading: try Case.text("kube-proxy.yaml"), name: "kube-proxy.yaml")
        change(&objects, &configuration)
        return SyncRequest(Proxier(configuration, node: NodeDescription()).rules(for: objects), configuration)
    }

    private func send(_ request: SyncRequest) throws -> SyncReply {
        rules.answer(try JSONEncoder().encode(request), engine) { _ in }
    }

    private func ipvsadm(_ line: String) -> CommandResult {
        executor.execute(line.split(separator: " ").map(String.init), on: engine)
    }

    /// `spec/kube`: the listing before and after a command, byte for byte.
    @Test func theCase() throws {
        let (before, after) = (try Case.text("expected-before.txt"), try Case.text("expected-after.txt"))
        let reply = try send(try request())
        #expect(reply.error == nil && reply.remarks.isEmpty && reply.changes == 13)
        #expect(ipvsadm("-Ln").standardOutput == before)
        #expect(ipvsadm("-a -t 10.96.23.82:8083 -r 10.100.36.68:80 -m") == CommandResult())
        #expect(ipvsadm("-Ln").standardOutput == after)
        // What was made by hand stays when the same comes again.
        #expect(try send(try request()).changes == 0)
        #expect(ipvsadm("-Ln").standardOutput == after)
    }

    @Test func theMasqueradeRuleReachesTheTable() throws {
        _ = try send(try request())
        let pods = try #require(AddressPrefix("10.100.0.0/16"))
        #expect(engine.services().allSatisfy { $0.service.masquerade == .outside(pods) })
        let reply = try send(try request { $1.masqueradesAll = true })
        #expect(reply.changes == 5)
        #expect(engine.services().allSatisfy { $0.service.masquerade == .all })
    }

    @Test func aDryRunChangesNothing() throws {
        var dry = try request()
        dry.isDryRun = true
        let reply = try send(dry)
        #expect(reply.changes == 13 && reply.lines.count == 13)
        #expect(engine.services().isEmpty)
        #expect(try send(try request()).lines.isEmpty)
        #expect(try send(dry).changes == 0)
    }

    @Test func cleanupTakesOnlyWhatIsOurs() throws {
        _ = ipvsadm("-A -t 192.0.2.1:80 -s wlc")
        _ = try send(try request())
        #expect(engine.services().count == 6)
        #expect(try send(.cleanup).changes == 5)
        #expect(ipvsadm("-S -n").standardOutput == "-A -t 192.0.2.1:80 -s wlc\n")
    }

    @Test func settingsAndTimeouts() throws {
        var set: [String] = []
        let request = try request { $1.timeouts = Timeouts(tcp: 0, tcpFin: 60, udp: 0) }
        _ = rules.answer(try JSONEncoder().encode(request), engine) { set.append($0) }
        #expect(set == ["expire_nodest_conn=1", "expire_quiescent_template=1"])
        #expect(engine.timeouts == Timeouts(tcp: 900, tcpFin: 60, udp: 300))
    }

    /// A server that no packet can be sent to is refused; everything else is done, and it is asked for again next time.
    @Test func whatTheTableRefusesIsNamed() throws {
        let table = FullTable()
        let request = try JSONEncoder().encode(try request())
        let reply = rules.answer(request, table) { _ in }
        #expect(reply.changes == 12)
        #expect(
            reply.remarks == [
                "`-a -t 10.96.23.82:8083 -r 10.100.36.67:80 -m -w 1` was refused: Memory allocation problem"
            ])
        table.isFull = false
        #expect(rules.answer(request, table) { _ in }.changes == 1)
    }

    @Test func whatIsNoRequestIsRefused() throws {
        let reply = rules.answer(Data("{}".utf8), engine) { _ in }
        #expect(reply.error == "the daemon does not understand the request")
        var bad = try request()
        bad.services[0].scheduler = "x"
        #expect(try send(bad).error?.hasPrefix("default/kubernetes:https: not a service") == true)
        #expect(engine.services().isEmpty)
    }
}

/// A table that has no room for one server.
private final class FullTable: RuleTable {
    private let engine = Engine(EngineConfiguration(entries: 1024, secret: HashSecret(1, 2)))
    var isFull = true

    func addDestination(_ destination: Destination, to key: ServiceKey) throws(RuleError) {
        guard !isFull || key.port != 8083 else { throw .tableFull }
        try engine.addDestination(destination, to: key)
    }

    func addService(_ service: VirtualService) throws(RuleError) { try engine.addService(service) }
    func editService(_ service: VirtualService) throws(RuleError) { try engine.editService(service) }
    func removeService(_ key: ServiceKey) throws(RuleError) { try engine.removeService(key) }
    func removeAllServices() { engine.removeAllServices() }
    func editDestination(_ destination: Destination, of key: ServiceKey) throws(RuleError) {
        try engine.editDestination(destination, of: key)
    }
    func removeDestination(_ destination: DestinationKey, of key: ServiceKey) throws(RuleError) {
        try engine.removeDestination(destination, of: key)
    }
    func addLocalAddress(_ address: IPAddress, to key: ServiceKey) throws(RuleError) {
        try engine.addLocalAddress(address, to: key)
    }
    func removeLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(RuleError) {
        try engine.removeLocalAddress(address, of: key)
    }
    func services() -> [ServiceStatus] { engine.services() }
    func service(_ key: ServiceKey) -> ServiceStatus? { engine.service(key) }
    func connections() -> [ConnectionStatus] { engine.connections() }
    var timeouts: Timeouts {
        get { engine.timeouts }
        set { engine.timeouts = newValue }
    }
    func zero(_ key: ServiceKey?) throws(RuleError) { try engine.zero(key) }
}
