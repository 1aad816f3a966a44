import Testing
import Wire

@testable import Kubernetes

@Suite struct EndpointReaderTests {
    private func read(_ text: String) throws -> [EndpointGroup] {
        var reader = ManifestReader()
        try reader.read(text, name: "f")
        return reader.objects.endpoints
    }

    private func slice(_ fields: String, labels: String = "kubernetes.io/service-name: web") throws -> [EndpointGroup] {
        try read(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: {\(labels)}}\n"
                + fields)
    }

    @Test func conditionsThatAreNotGiven() throws {
        let group = try #require(
            try slice(
                """
                addressType: IPv4
                endpoints:
                - {addresses: [10.1.0.1, 10.1.0.99], nodeName: n1}
                - {addresses: [10.1.0.2], conditions: {ready: true}}
                - {addresses: [10.1.0.3], conditions: {ready: false}}
                - {addresses: [10.1.0.4], conditions: {ready: false, serving: true, terminating: true}}
                - {addresses: [10.1.0.5], conditions: {ready: null, serving: null, terminating: null}}
                - {addresses: []}
                ports:
                - {name: http, port: 8080}
                - {name: any, port: null}
                - {name: dns, port: 53, protocol: UDP}
                """
            ).first)
        #expect(group.endpoints.map(\.address.description) == (1...5).map { "10.1.0.\($0)" })
        #expect(group.endpoints.map(\.isReady) == [true, true, false, false, true])
        #expect(group.endpoints.map(\.isServing) == [true, true, false, true, true])
        #expect(group.endpoints.map(\.isTerminating) == [false, false, false, true, false])
        #expect(group.endpoints[0].node == "n1")
        #expect(
            group.ports == [
                EndpointGroup.Port(name: "http", port: 8080),
                EndpointGroup.Port(name: "dns", transportProtocol: IPProtocol.udp, port: 53),
            ])
    }

    @Test func slicesOfNoServiceOrOfNamesAreNone() throws {
        #expect(try slice("addressType: IPv4\n", labels: "a: b").isEmpty)
        #expect(try slice("addressType: FQDN\nendpoints: [{addresses: [a.example]}]\n").isEmpty)
        #expect(try slice("addressType: IPv4\nendpoints: null\nports: null\n").first?.endpoints == [])
    }

    @Test func theNodeOfAnOldSlice() throws {
        let groups = try slice(
            "endpoints: [{addresses: [10.1.0.1], topology: {kubernetes.io/hostname: n2}}]\nports: [{port: 1}]\n")
        #expect(groups.first?.endpoints.first?.node == "n2")
    }

    @Test func subsetsOfEndpoints() throws {
        let groups = try read(
            """
            apiVersion: v1
            kind: Endpoints
            metadata: {name: web, namespace: shop}
            subsets:
            - addresses: [{ip: 10.1.0.1, nodeName: n1}, {ip: "fd00::1"}]
              notReadyAddresses: [{ip: 10.1.0.2}]
              ports: [{name: http, port: 8080, protocol: TCP}]
            - addresses: [{ip: 10.1.0.3}]
              ports: [{name: http, port: 9090}]
            """)
        #expect(groups.count == 2 && groups.allSatisfy { !$0.isSlice && $0.service == ObjectName("shop", "web") })
        #expect(groups[0].endpoints.map(\.address.description) == ["10.1.0.1", "fd00::1", "10.1.0.2"])
        #expect(groups[0].endpoints.map(\.isReady) == [true, true, false])
        #expect(groups[0].endpoints.map(\.isServing) == [true, true, false])
        #expect(groups[1].ports == [EndpointGroup.Port(name: "http", port: 9090)])
    }

    @Test(arguments: [
        ("endpoints: [{addresses: [10.1.0]}]\n", "f line 4: endpoints[0].addresses[0]: an address is expected"),
        ("endpoints: [{addresses: [10.1.0.1], conditions: {ready: 1}}]\n", "endpoints[0].conditions.ready: true or"),
        ("ports: [{port: 70000}]\n", "f line 4: ports[0].port: a whole number from 1 to 65535"),
    ])
    func badValuesAreNamed(fields: String, words: String) {
        let error = #expect(throws: KubernetesError.self) { try slice(fields) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
}
