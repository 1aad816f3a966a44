import Testing
import Wire

@testable import Kubernetes

@Suite struct ManifestReaderTests {
    private func read(_ texts: String...) throws -> ClusterObjects {
        var reader = ManifestReader()
        for (number, text) in texts.enumerated() { try reader.read(text, name: "f\(number + 1)") }
        return reader.objects
    }

    private static let service = """
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}

        """

    @Test func theCase() throws {
        let objects = try read(try Case.text("manifests.yaml"))
        #expect(
            objects.services.map(\.name.description) == [
                "default/kubernetes", "kube-system/kube-dns", "default/nginx-test",
            ])
        #expect(objects.endpoints.map(\.service) == objects.services.map(\.name))
        #expect(objects.endpoints.allSatisfy { $0.isSlice })
        let dns = objects.services[1]
        #expect(dns.ports.map(\.transportProtocol) == [IPProtocol.udp, IPProtocol.tcp, IPProtocol.tcp])
        #expect(objects.endpoints[1].endpoints.map(\.address.description) == ["10.100.169.129", "10.100.169.130"])
    }

    @Test func listsAndSeveralDocumentsAndOtherKinds() throws {
        let objects = try read(
            """
            apiVersion: v1
            kind: List
            items:
            - {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: 10.96.0.1, ports: [{port: 1}]}}
            - {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 2}}
            ---
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"clusterIP": "None"}}
            ---
            apiVersion: serving.knative.dev/v1
            kind: Service
            metadata: {name: a}
            """,
            """
            {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1", "metadata": {}, "items": [
              {"metadata": {"name": "a-1", "labels": {"kubernetes.io/service-name": "a"}}, "addressType": "IPv4",
               "endpoints": [{"addresses": ["10.1.0.1"]}], "ports": [{"name": "", "port": 8080}]}]}
            """)
        #expect(objects.services.map(\.name.description) == ["default/a", "default/b"])
        #expect(
            objects.endpoints == [
                EndpointGroup(
                    service: ObjectName("default", "a"),
                    endpoints: [EndpointGroup.Endpoint(try #require(IPAddress("10.1.0.1")))],
                    ports: [EndpointGroup.Port(port: 8080)])
            ])
    }

    @Test func emptyDocumentsAreNothing() throws {
        #expect(try read("", "---\n", "{}\n", "kind: List\nitems: []\n") == ClusterObjects())
    }

    @Test(arguments: [
        ("a: 1\n", "f1 line 1: kind is missing; Service, EndpointSlice, Endpoints or List is expected"),
        ("kind: Service\nspec: {}\n", "f1 line 1: Service without metadata.name"),
        ("kind: List\nitems: [{a: 1}]\n", "f1 line 2: items[0]: kind is missing"),
        ("text\n", "f1 line 1: a mapping is expected, not \"text\""),
    ])
    func whatIsNoManifestIsSaid(text: String, sentence: String) {
        let error = #expect(throws: KubernetesError.self) { try read(text) }
        #expect(error?.description == sentence)
    }

    @Test func anObjectIsThereOnce() throws {
        let error = #expect(throws: KubernetesError.self) { try read(Self.service, "# again\n" + Self.service) }
        #expect(
            error?.description
                == "f2 line 2: Service shop/web is there already, in f1 line 1; give one state of the cluster")
        // A Service and its Endpoints have the same name.
        #expect(
            try read(Self.service, "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: shop}\n")
                .services.count == 1)
    }
}
