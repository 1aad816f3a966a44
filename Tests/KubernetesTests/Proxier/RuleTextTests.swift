import Balancer
import Control
import Testing
import Wire

@testable import Kubernetes

@Suite struct RuleTextTests {
    /// What is printed is what `ipvsadm -S -n` says of a table that was restored from it.
    @Test func linesAreThoseOfSave() throws {
        var reader = ManifestReader()
        try reader.read(try Case.text("manifests.yaml"), name: "f")
        var configuration = ProxyConfiguration()
        for scheduler in [SchedulerKind.rr, .mh, .wlc] {
            configuration.scheduler = scheduler
            var objects = reader.objects
            objects.services[0].affinitySeconds = 60
            objects.services[1].ports.append(
                ServiceObject.Port(name: "s", transportProtocol: IPProtocol.sctp, port: 9))
            objects.services[2].clusterAddresses.append(try #require(IPAddress("fd00::1")))
            let lines = Proxier(configuration, node: NodeDescription()).rules(for: objects).restorableLines
            let engine = Engine(EngineConfiguration(entries: 1024, secret: HashSecret(1, 2)))
            let executor = CommandExecutor(resolver: SystemResolver())
            let restored = executor.execute(["-R"], standardInput: lines.joined(separator: "\n") + "\n", on: engine)
            #expect(restored == CommandResult())
            let saved = executor.execute(["-S", "-n"], on: engine).standardOutput
            #expect(saved.split(separator: "\n").map(String.init).sorted() == lines.sorted())
        }
    }
}
