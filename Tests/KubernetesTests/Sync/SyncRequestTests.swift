import Balancer
import Foundation
import Testing
import Wire

@testable import Kubernetes

@Suite struct SyncRequestTests {
    static let rules =
        [MasqueradeRule.loops, .all, .nodePort]
        + ["fd00:10::/56", "::/0"].compactMap { AddressPrefix($0) }.map { .outside($0) }

    @Test(arguments: rules) func servicesSurviveTheWay(rule: MasqueradeRule) throws {
        for (number, name) in [(IPProtocol.tcp, "tcp"), (IPProtocol.udp, "udp"), (IPProtocol.sctp, "sctp")] {
            let address = try #require(IPAddress("fd00::1"))
            var service = VirtualService(
                key: .address(transportProtocol: number, address: address, port: 443), scheduler: .mh,
                schedulerFlags: .port, persistence: Persistence(timeout: 60, prefixLength: 128))
            service.masquerade = rule
            let desired = DesiredService(
                name: "a/b", service: service, destinations: [DestinationKey(address: address, port: 1)])
            let request = SyncRequest(DesiredRules(services: [desired]), ProxyConfiguration())
            let decoded = try JSONDecoder().decode(SyncRequest.self, from: try JSONEncoder().encode(request))
            #expect(decoded == request)
            #expect(try decoded.services.map { try $0.desired() } == [desired])
            #expect(decoded.services[0].transportProtocol == name)
        }
    }

    @Test func whatIsNotUnderstoodIsNamed() throws {
        let good = SyncRequest.Service(
            DesiredService(
                name: "a/b",
                service: VirtualService(
                    key: .address(transportProtocol: IPProtocol.tcp, address: .anyV4, port: 1), scheduler: .rr),
                destinations: []))
        #expect((try? good.desired()) != nil)
        let changes: [(inout SyncRequest.Service) -> Void] = [
            { $0.transportProtocol = "icmp" }, { $0.address = "x" }, { $0.scheduler = "x" },
            { $0.masquerade = "outside x" }, { $0.masquerade = "" },
            { $0.destinations = [.init(address: "", port: 1)] },
        ]
        for change in changes {
            var bad = good
            change(&bad)
            let error = #expect(throws: KubernetesError.self) { try bad.desired() }
            #expect(error?.description.hasPrefix("a/b: ") == true)
        }
    }

    @Test func whatKubeProxySets() {
        let request = SyncRequest(DesiredRules(), ProxyConfiguration())
        #expect(request.settings == ["expire_nodest_conn=1", "expire_quiescent_template=1"])
        #expect(request.timeouts == [0, 0, 0])
        #expect(SyncRequest.cleanup.settings.isEmpty && SyncRequest.cleanup.services.isEmpty)
    }
}
