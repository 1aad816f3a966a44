import Balancer
import Testing
import Wire

@testable import Kubernetes

/// What kube-proxy in mode ipvs makes of services, read off `pkg/proxy/ipvs/proxier.go` and Kubernetes' documentation of
/// virtual addresses.
@Suite struct ProxierTests {
    private static let podsV4 = AddressPrefix("10.100.0.0/16")
    private static let podsV6 = AddressPrefix("fd00:10::/56")

    private static func address(_ text: String) -> IPAddress { IPAddress(text) ?? .anyV4 }

    /// A service `a/web` on 10.96.0.9, port 80, with endpoints on two nodes.
    private static func objects(_ change: (inout ServiceObject) -> Void = { _ in }) -> ClusterObjects {
        var service = ServiceObject(
            name: ObjectName("a", "web"), clusterAddresses: [address("10.96.0.9")],
            ports: [ServiceObject.Port(name: "http", port: 80)])
        change(&service)
        return ClusterObjects(
            services: [service],
            endpoints: [
                EndpointGroup(
                    service: service.name,
                    endpoints: [
                        .init(address("10.100.0.1"), node: "n1"), .init(address("10.100.0.2"), node: "n2"),
                        .init(address("fd00:10::1"), node: "n1"),
                    ], ports: [.init(name: "http", port: 8080)])
            ])
    }

    private static func rules(
        _ objects: ClusterObjects, node: String? = "n1",
        addresses: [String] = ["192.0.2.1", "198.51.100.1", "2001:db8::1"],
        masqueradeAddresses: [String] = ["192.0.2.250", "2001:db8::250"],
        _ change: (inout ProxyConfiguration) -> Void = { _ in }
    ) -> DesiredRules {
        var configuration = ProxyConfiguration()
        configuration.clusterPrefixes = [podsV4, podsV6].compactMap(\.self)
        change(&configuration)
        let node = NodeDescription(
            name: node, addresses: addresses.map { address($0) },
            masqueradeAddresses: masqueradeAddresses.map { address($0) })
        return Proxier(configuration, node: node).rules(for: objects)
    }

    /// A service in short: `-t 10.96.0.9:80 rr outside 10.100.0.0/16 > 10.100.0.1:8080 10.100.0.2:8080`.
    private static func short(_ desired: DesiredService) -> String {
        let request = SyncRequest.Service(desired)
        let destinations = desired.destinations.map { RuleText.destination($0) }.joined(separator: " ")
        return "\(RuleText.service(desired.service.key))\(RuleText.options(desired.service)) \(request.masquerade)"
            + " > \(destinations)"
    }

    private static let both = "10.100.0.1:8080 10.100.0.2:8080"

    @Test func aClusterAddress() {
        let rules = Self.rules(Self.objects())
        #expect(rules.services.map(Self.short) == ["-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > \(Self.both)"])
        #expect(rules.services.map(\.name) == ["a/web:http"])
        #expect(rules.remarks.isEmpty)
    }

    @Test func masqueradingOfClusterAddresses() {
        #expect(
            Self.rules(Self.objects()) { $0.masqueradesAll = true }.services.map(Self.short)
                == ["-t 10.96.0.9:80 -s rr all > \(Self.both)"])
        #expect(
            Self.rules(Self.objects()) { $0.clusterPrefixes = [] }.services.map(Self.short)
                == ["-t 10.96.0.9:80 -s rr loops > \(Self.both)"])
    }

    @Test func masqueradedConnectionsLeaveUnderTheAddressOfTheirFamily() {
        let objects = Self.objects { $0.clusterAddresses.append(Self.address("fd00:96::9")) }
        #expect(
            Self.rules(objects).services.map(\.localAddresses)
                == [[Self.address("192.0.2.250")], [Self.address("2001:db8::250")]])
        let without = Self.rules(objects, masqueradeAddresses: ["2001:db8::250"])
        #expect(without.services.map(\.localAddresses) == [[], [Self.address("2001:db8::250")]])
        #expect(
            without.remarks == [
                "clients are to be masqueraded, but the node has no IPv4 address for it, so that real servers see the"
                    + " clients' own; give --masquerade-address ADDR"
            ])
        // The node's own addresses, but those that a service or nobody else can reach it by.
        let own = ["127.0.0.1", "192.0.2.1", "10.96.0.9", "198.51.100.1", "fe80::1", "::1"]
        #expect(
            Self.rules(objects, masqueradeAddresses: own).services.map(\.localAddresses)
                == [[Self.address("192.0.2.1"), Self.address("198.51.100.1")], []])
        // Where none is to be masqueraded nothing is missing.
        #expect(Self.rules(objects, masqueradeAddresses: []) { $0.clusterPrefixes = [] }.remarks.isEmpty)
    }

    @Test func externalAndLoadBalancerAddressesAndNodePorts() {
        let rules = Self.rules(
            Self.objects {
                $0.externalAddresses = [Self.address("203.0.113.1"), Self.address("2001:db8:1::1")]
                $0.loadBalancerAddresses = [Self.address("203.0.113.2")]
                $0.ports[0].nodePort = 30080
            })
        #expect(
            rules.services.map(Self.short) == [
                "-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > \(Self.both)",
                "-t 203.0.113.1:80 -s rr all > \(Self.both)", "-t 203.0.113.2:80 -s rr all > \(Self.both)",
                "-t 192.0.2.1:30080 -s rr node-port > \(Self.both)",
                "-t 198.51.100.1:30080 -s rr node-port > \(Self.both)",
            ])
    }

    @Test func externalTrafficPolicyLocalKeepsNodeAndClient() {
        let rules = Self.rules(
            Self.objects {
                $0.isExternallyLocal = true
                $0.externalAddresses = [Self.address("203.0.113.1")]
                $0.loadBalancerAddresses = [Self.address("203.0.113.2")]
                $0.ports[0].nodePort = 30080
            }, addresses: ["192.0.2.1"])
        #expect(
            rules.services.map(Self.short) == [
                "-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > \(Self.both)",
                "-t 203.0.113.1:80 -s rr loops > 10.100.0.1:8080", "-t 203.0.113.2:80 -s rr loops > 10.100.0.1:8080",
                "-t 192.0.2.1:30080 -s rr loops > 10.100.0.1:8080",
            ])
    }

    /// `masqueradeAll` is about cluster addresses; a node port with policy Local still keeps the client's address.
    @Test func masqueradeAllLeavesLocalTrafficAlone() {
        let rules = Self.rules(
            Self.objects {
                $0.isExternallyLocal = true
                $0.ports[0].nodePort = 30080
            }, addresses: ["192.0.2.1"]
        ) { $0.masqueradesAll = true }
        #expect(
            rules.services.map(Self.short) == [
                "-t 10.96.0.9:80 -s rr all > \(Self.both)", "-t 192.0.2.1:30080 -s rr loops > 10.100.0.1:8080",
            ])
    }

    @Test func internalTrafficPolicyLocal() {
        let local = Self.objects { $0.isInternallyLocal = true }
        #expect(
            Self.rules(local).services.map(Self.short)
                == ["-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > 10.100.0.1:8080"])
        #expect(
            Self.rules(local, node: "n3").services.map(Self.short)
                == ["-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > "])
    }

    @Test func withoutTheNodesNamePoliciesAreCluster() {
        let rules = Self.rules(Self.objects { $0.isInternallyLocal = true }, node: nil)
        #expect(rules.services.map(Self.short) == ["-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > \(Self.both)"])
        #expect(rules.remarks == ["a/web has a traffic policy Local, taken as Cluster; give --node NAME"])
        let named = Self.rules(Self.objects { $0.isInternallyLocal = true }, node: nil) { $0.nodeName = "n2" }
        #expect(named.services.first?.destinations.map { RuleText.destination($0) } == ["10.100.0.2:8080"])
    }

    @Test func dualStack() {
        let rules = Self.rules(
            Self.objects {
                $0.clusterAddresses.append(Self.address("fd00:96::9"))
                $0.ports[0].nodePort = 30080
            }, addresses: ["192.0.2.1", "2001:db8::1"])
        #expect(
            rules.services.map(Self.short) == [
                "-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > \(Self.both)",
                "-t 192.0.2.1:30080 -s rr node-port > \(Self.both)",
                "-t [fd00:96::9]:80 -s rr outside fd00:10::/56 > [fd00:10::1]:8080",
                "-t [2001:db8::1]:30080 -s rr node-port > [fd00:10::1]:8080",
            ])
    }

    @Test func affinityIsPersistence() throws {
        let rules = Self.rules(
            Self.objects {
                $0.affinitySeconds = 10800
                $0.clusterAddresses.append(Self.address("fd00:96::9"))
            })
        #expect(
            rules.services.map(\.service.persistence) == [
                .init(timeout: 10800, prefixLength: 32), .init(timeout: 10800, prefixLength: 128),
            ])
        #expect(RuleText.options(try #require(rules.services.first?.service)) == " -s rr -p 10800")
    }

    @Test func theSchedulerIsEveryServices() {
        let rules = Self.rules(Self.objects()) { $0.scheduler = .mh }
        #expect(rules.services.map { RuleText.options($0.service) } == [" -s mh -b mh-port"])
        #expect(rules.services.map(\.service.schedulerFlags) == [.port])
    }

    @Test func protocolsOnOnePort() {
        var objects = Self.objects {
            $0.ports = [
                ServiceObject.Port(name: "dns", transportProtocol: IPProtocol.udp, port: 53),
                ServiceObject.Port(name: "dns-tcp", port: 53),
                ServiceObject.Port(name: "s", transportProtocol: IPProtocol.sctp, port: 53),
            ]
        }
        objects.endpoints[0].ports = [
            .init(name: "dns", transportProtocol: IPProtocol.udp, port: 1053), .init(name: "dns-tcp", port: 2053),
        ]
        #expect(
            Self.rules(objects).services.map(Self.short) == [
                "-u 10.96.0.9:53 -s rr outside 10.100.0.0/16 > 10.100.0.1:1053 10.100.0.2:1053",
                "-t 10.96.0.9:53 -s rr outside 10.100.0.0/16 > 10.100.0.1:2053 10.100.0.2:2053",
                "--sctp-service 10.96.0.9:53 -s rr outside 10.100.0.0/16 > ",
            ])
    }

    // MARK: Node ports

    @Test(arguments: [
        (ProxyConfiguration.NodePortAddresses.all, ["192.0.2.1", "198.51.100.1", "2001:db8::1"]),
        (.primary, ["192.0.2.1", "2001:db8::1"]),
        (.inside([AddressPrefix("198.51.100.0/24")].compactMap(\.self)), ["198.51.100.1"]),
    ])
    func nodePortAddresses(choice: ProxyConfiguration.NodePortAddresses, expected: [String]) {
        let objects = Self.objects {
            $0.clusterAddresses.append(Self.address("fd00:96::9"))
            $0.ports[0].nodePort = 30080
        }
        let addresses = ["127.0.0.1", "192.0.2.1", "198.51.100.1", "10.96.0.9", "::1", "fe80::1", "2001:db8::1"]
        let rules = Self.rules(objects, addresses: addresses) { $0.nodePortAddresses = choice }
        #expect(
            rules.services.filter { $0.service.key.port == 30080 }.map { desired in
                guard case .address(_, let address, _) = desired.service.key else { return "" }
                return "\(address)"
            } == expected)
    }

    @Test func theBindAddressIsThePrimaryOne() {
        let objects = Self.objects { $0.ports[0].nodePort = 30080 }
        let rules = Self.rules(objects) {
            $0.bindAddress = Self.address("198.51.100.1")
            $0.nodePortAddresses = .primary
        }
        #expect(
            rules.services.map { RuleText.service($0.service.key) } == ["-t 10.96.0.9:80", "-t 198.51.100.1:30080"])
    }

    @Test func aNodePortWithoutAnAddressIsSaid() {
        let rules = Self.rules(Self.objects { $0.ports[0].nodePort = 30080 }, addresses: ["2001:db8::1"])
        #expect(rules.services.count == 1)
        #expect(
            rules.remarks == [
                "a/web: node port 30080 is left out, since no IPv4 address of the node is known or allowed by"
                    + " nodePortAddresses; give --node-address"
            ])
    }

    // MARK: Services that make no rules

    @Test func headlessAndForeignServicesMakeNone() {
        #expect(Self.rules(Self.objects { $0.clusterAddresses = [] }) == DesiredRules())
        #expect(Self.rules(Self.objects { $0.isForOthers = true }) == DesiredRules())
    }

    @Test func aServiceWithoutEndpointsIsThereAllTheSame() {
        var objects = Self.objects()
        objects.endpoints = []
        #expect(Self.rules(objects).services.map(Self.short) == ["-t 10.96.0.9:80 -s rr outside 10.100.0.0/16 > "])
    }

    @Test func aManifestThatNoClusterHasSeenIsSaid() {
        let rules = Self.rules(
            Self.objects {
                $0.clusterAddresses = []
                $0.lacksClusterAddress = true
            })
        #expect(rules.services.isEmpty)
        #expect(
            rules.remarks == ["a/web has no clusterIP; print it from the cluster: kubectl get service -o yaml"])
    }

    /// A restriction that cannot be kept must not be dropped.
    @Test func restrictedLoadBalancerAddressesAreLeftOut() {
        let rules = Self.rules(
            Self.objects {
                $0.loadBalancerAddresses = [Self.address("203.0.113.2")]
                $0.restrictsLoadBalancerClients = true
            })
        #expect(rules.services.map { RuleText.service($0.service.key) } == ["-t 10.96.0.9:80"])
        #expect(rules.remarks.first?.hasPrefix("a/web: 203.0.113.2 is left out, since Fairlead cannot keep") == true)
    }

    @Test func ofTwoServicesOnOneAddressTheFirstHasIt() {
        var objects = Self.objects { $0.externalAddresses = [Self.address("203.0.113.1")] }
        var other = objects.services[0]
        other.name = ObjectName("b", "other")
        other.clusterAddresses = [Self.address("10.96.0.10")]
        objects.services.insert(other, at: 0)
        let rules = Self.rules(objects)
        #expect(rules.services.map(\.name) == ["a/web:http", "a/web:http", "b/other:http"])
        #expect(
            rules.remarks == ["b/other:http: -t 203.0.113.1:80 belongs to a/web:http already and is left to it"])
    }

    /// The API server mirrors Endpoints into slices; where there are slices they alone count.
    @Test func endpointsCountOnlyWithoutSlices() {
        var objects = Self.objects()
        var old = objects.endpoints[0]
        old.isSlice = false
        old.endpoints = [.init(Self.address("10.100.0.99"))]
        objects.endpoints.append(old)
        #expect(Self.rules(objects).services[0].destinations.count == 2)
        objects.endpoints.remove(at: 0)
        #expect(Self.rules(objects).services[0].destinations.map { RuleText.destination($0) } == ["10.100.0.99:8080"])
    }
}
