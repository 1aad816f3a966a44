import Testing
import Wire

@testable import Kubernetes

@Suite struct ServiceReaderTests {
    private func read(_ spec: String, more: String = "", labels: String = "{}") throws -> ServiceObject {
        var reader = ManifestReader()
        try reader.read(
            "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: \(labels)}\nspec: {\(spec)}\n" + more, name: "f"
        )
        return try #require(reader.objects.services.first)
    }

    private func addresses(_ texts: String...) -> [IPAddress] { texts.compactMap { IPAddress($0) } }

    @Test func everythingAProxyLooksAt() throws {
        let service = try read(
            """
            type: LoadBalancer, clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00::9"], externalIPs: [192.0.2.1],
            sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}},
            externalTrafficPolicy: Local, internalTrafficPolicy: Cluster, loadBalancerSourceRanges: [198.51.100.0/24],
            ports: [{name: web, port: 80, targetPort: http, nodePort: 30080}, {name: q, port: 443, protocol: UDP}]
            """,
            more: """
                status:
                  loadBalancer:
                    ingress: [{ip: 203.0.113.1}, {ip: 203.0.113.2, ipMode: VIP}, {ip: 203.0.113.3, ipMode: Proxy},
                      {hostname: lb.example}]
                """)
        #expect(service.clusterAddresses == addresses("10.96.0.9", "fd00::9"))
        #expect(service.externalAddresses == addresses("192.0.2.1"))
        #expect(service.loadBalancerAddresses == addresses("203.0.113.1", "203.0.113.2"))
        #expect(service.affinitySeconds == 60)
        #expect(service.isExternallyLocal && !service.isInternallyLocal && service.restrictsLoadBalancerClients)
        #expect(
            service.ports == [
                ServiceObject.Port(name: "web", port: 80, nodePort: 30080),
                ServiceObject.Port(name: "q", transportProtocol: IPProtocol.udp, port: 443),
            ])
    }

    @Test func defaults() throws {
        let service = try read("clusterIP: 10.96.0.9, ports: [{port: 80}], sessionAffinity: ClientIP")
        #expect(service.affinitySeconds == 10800)
        #expect(service.name == ObjectName("default", "a"))
        #expect(!service.isExternallyLocal && !service.isForOthers && !service.lacksClusterAddress)
        #expect(service.ports == [ServiceObject.Port(port: 80)])
    }

    @Test func servicesWithoutAnAddress() throws {
        for (spec, lacks) in [
            ("clusterIP: None", false), ("type: ExternalName, externalName: example.org", false), ("ports: []", true),
            ("clusterIP: ''", true),
        ] {
            let service = try read(spec)
            #expect(service.clusterAddresses.isEmpty && service.lacksClusterAddress == lacks, "\(spec)")
        }
    }

    @Test(arguments: ["service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"])
    func labelsLeaveItToOthers(label: String) throws {
        #expect(try read("clusterIP: 10.96.0.9", labels: "{\(label): x}").isForOthers)
    }

    @Test(arguments: [
        ("clusterIP: 10.96.0", "spec.clusterIP: an address is expected, not 10.96.0"),
        ("ports: [{port: 0}]", "spec.ports[0].port: a whole number from 1 to 65535 is expected, not \"0\""),
        ("ports: [{name: a}]", "spec.ports[0]: port is missing"),
        ("ports: [{port: 1, protocol: tcp}]", "spec.ports[0].protocol: TCP, UDP or SCTP is expected, not tcp"),
        ("sessionAffinity: Cookie", "spec.sessionAffinity: None or ClientIP is expected, not Cookie"),
        ("externalTrafficPolicy: local", "spec.externalTrafficPolicy: Cluster or Local is expected, not local"),
    ])
    func badValuesAreNamed(spec: String, words: String) {
        let error = #expect(throws: KubernetesError.self) { try read(spec) }
        #expect(error?.description == "f line 4: \(words)")
    }
}
