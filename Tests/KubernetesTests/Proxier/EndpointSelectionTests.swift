import Balancer
import Testing
import Wire

@testable import Kubernetes

@Suite struct EndpointSelectionTests {
    /// One row: what the endpoints are, which policies and ways in the service has, and who gets connections that may
    /// leave the node (`cluster`) and that are to stay (`local`).
    struct Row: CustomStringConvertible {
        var name: String
        /// The last byte of an address and its conditions: `r`eady, `s`erving, `t`erminating, `n`one; `L` on this node.
        var endpoints: [String]
        var isInternallyLocal = false
        var nodePort: UInt16 = 0
        var cluster: [UInt32]
        var local: [UInt32]
        var description: String { name }
    }

    static let rows = [
        Row(name: "only ready ones", endpoints: ["1r", "2n", "3st"], cluster: [1], local: [1]),
        Row(name: "none ready: those that serve to the end", endpoints: ["1n", "2st", "3t"], cluster: [2], local: [2]),
        Row(name: "none at all", endpoints: ["1n", "2t"], cluster: [], local: []),
        Row(name: "those of this node", endpoints: ["1rL", "2r"], nodePort: 1, cluster: [1, 2], local: [1]),
        Row(
            name: "no ready one here: the one that serves to the end", endpoints: ["1stL", "2r"], nodePort: 1,
            cluster: [2], local: [1]),
        Row(name: "none here: all", endpoints: ["1nL", "2r"], nodePort: 1, cluster: [2], local: [2]),
        Row(
            name: "none here, and nobody outside asks", endpoints: ["1nL", "2r"], isInternallyLocal: true, cluster: [],
            local: []),
        Row(
            name: "none here, but there is a node port", endpoints: ["2r"], isInternallyLocal: true, nodePort: 1,
            cluster: [2], local: [2]),
    ]

    @Test(arguments: rows)
    func endpointsAreChosenAsKubeProxyDoes(row: Row) throws {
        let endpoints = row.endpoints.map { text in
            EndpointGroup.Endpoint(
                IPAddress(v4: 0x0a01_0000 + (UInt32(text.prefix(1)) ?? 0)), isReady: text.contains("r"),
                isServing: text.contains("r") || text.contains("s"), isTerminating: text.contains("t"),
                node: text.contains("L") ? "here" : "there")
        }
        var service = ServiceObject(name: ObjectName("a", "b"), clusterAddresses: [], ports: [])
        service.isInternallyLocal = row.isInternallyLocal
        let selection = EndpointSelection(
            [EndpointGroup(service: service.name, endpoints: endpoints, ports: [EndpointGroup.Port(port: 80)])],
            port: ServiceObject.Port(port: 80, nodePort: row.nodePort), family: .v4, service: service,
            isLocalNode: { $0 == "here" })
        #expect(selection.destinations(staysLocal: false).map { $0.address.v4 & 0xff } == row.cluster)
        #expect(selection.destinations(staysLocal: true).map { $0.address.v4 & 0xff } == row.local)
    }

    private func choose(_ groups: [EndpointGroup], _ port: ServiceObject.Port, _ family: AddressFamily) -> [String] {
        let service = ServiceObject(name: ObjectName("a", "b"), clusterAddresses: [], ports: [port])
        return EndpointSelection(groups, port: port, family: family, service: service, isLocalNode: { $0 == "here" })
            .destinations(staysLocal: false).map { RuleText.destination($0) }
    }

    private func group(_ addresses: [String], _ ports: [EndpointGroup.Port]) -> EndpointGroup {
        EndpointGroup(
            service: ObjectName("a", "b"),
            endpoints: addresses.compactMap { IPAddress($0) }.map { EndpointGroup.Endpoint($0) }, ports: ports)
    }

    /// Pods of one service may give one target port different numbers; each slice holds what its pods have.
    @Test func aNamedTargetPortIsWhatEachSliceSays() {
        let groups = [
            group(["10.1.0.2"], [.init(name: "http", port: 9090)]),
            group(["10.1.0.1"], [.init(name: "http", port: 8080)]),
            group(["10.1.0.3"], [.init(name: "other", port: 1)]),
            group(["10.1.0.4"], [.init(name: "http", transportProtocol: IPProtocol.udp, port: 8080)]),
        ]
        #expect(choose(groups, .init(name: "http", port: 80), .v4) == ["10.1.0.1:8080", "10.1.0.2:9090"])
    }

    @Test func familiesAreKeptApart() {
        let groups = [group(["10.1.0.1", "fd00::1"], [.init(port: 80)])]
        #expect(choose(groups, .init(port: 80), .v4) == ["10.1.0.1:80"])
        #expect(choose(groups, .init(port: 80), .v6) == ["[fd00::1]:80"])
    }

    @Test func anEndpointInTwoSlicesIsOne() {
        let twice = [group(["10.1.0.1"], [.init(port: 80)]), group(["10.1.0.1"], [.init(port: 80)])]
        #expect(choose(twice, .init(port: 80), .v4) == ["10.1.0.1:80"])
    }

    /// While an endpoint moves between slices it is in both; the first one's conditions count.
    @Test func ofTwoTheFirstCountsUnlessTheOtherIsLocal() {
        func one(_ isReady: Bool, _ node: String) -> EndpointGroup {
            EndpointGroup(
                service: ObjectName("a", "b"),
                endpoints: [.init(IPAddress(v4: 0x0a01_0001), isReady: isReady, node: node)], ports: [.init(port: 80)])
        }
        #expect(choose([one(true, "x"), one(false, "x")], .init(port: 80), .v4).count == 1)
        #expect(choose([one(false, "x"), one(true, "x")], .init(port: 80), .v4).isEmpty)
        #expect(choose([one(false, "x"), one(true, "here")], .init(port: 80), .v4).count == 1)
    }
}
