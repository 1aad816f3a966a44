import Balancer
import Foundation
import Testing
import Wire

@testable import Kubernetes

@Suite struct ProxyConfigurationTests {
    private func read(_ text: String) throws -> ProxyConfiguration {
        try ProxyConfiguration(reading: text, name: "f")
    }

    /// A configuration of mode ipvs with these further lines.
    private func read(lines: String) throws -> ProxyConfiguration {
        try read("kind: KubeProxyConfiguration\nmode: ipvs\n" + lines)
    }

    private func failure(_ body: () throws -> ProxyConfiguration) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func theCaseIsReadOutOfItsConfigMap() throws {
        let configuration = try read(try Case.text("kube-proxy.yaml"))
        var expected = ProxyConfiguration()
        expected.clusterPrefixes = [try #require(AddressPrefix("10.100.0.0/16"))]
        #expect(configuration == expected)
        #expect(configuration.scheduler == .rr)
        #expect(configuration.syncPeriod == .seconds(30) && configuration.minimumSyncPeriod == .zero)
        #expect(configuration.timeouts == Timeouts(tcp: 0, tcpFin: 0, udp: 0))
    }

    @Test func everyFieldWithAnEffect() throws {
        let configuration = try read(
            lines: """
                apiVersion: kubeproxy.config.k8s.io/v1alpha1
                bindAddress: 192.0.2.4
                clusterCIDR: 10.100.0.0/16, fd00:10::/56
                detectLocalMode: ClusterCIDR
                hostnameOverride: " node-1 "
                nodePortAddresses: [192.0.2.0/24, "2001:db8::/32"]
                iptables: {masqueradeAll: true, masqueradeBit: 14, localhostNodePorts: false}
                ipvs:
                  scheduler: wlc
                  excludeCIDRs: [10.1.0.0/16]
                  syncPeriod: 1m
                  minSyncPeriod: 5s
                  strictARP: true
                  tcpTimeout: 15m
                  tcpFinTimeout: 1500ms
                  udpTimeout: 300s
                """)
        #expect(configuration.scheduler == .wlc)
        #expect(configuration.bindAddress == IPAddress("192.0.2.4"))
        #expect(configuration.clusterPrefixes.map(\.description) == ["10.100.0.0/16", "fd00:10::/56"])
        #expect(configuration.nodeName == "node-1")
        let prefixes = ["192.0.2.0/24", "2001:db8::/32"].compactMap { AddressPrefix($0) }
        #expect(configuration.nodePortAddresses == .inside(prefixes))
        #expect(configuration.masqueradesAll)
        #expect(configuration.excludedPrefixes == [AddressPrefix("10.1.0.0/16")])
        #expect(configuration.syncPeriod == .seconds(60) && configuration.minimumSyncPeriod == .seconds(5))
        #expect(configuration.timeouts == Timeouts(tcp: 900, tcpFin: 2, udp: 300))
    }

    @Test func jsonIsReadToo() throws {
        let bare = #"{"kind": "KubeProxyConfiguration", "mode": "ipvs", "ipvs": {"scheduler": "sh"}}"#
        #expect(try read(bare).scheduler == .sh)
        let map = #"{"kind": "ConfigMap", "data": {"config.conf": "kind: KubeProxyConfiguration\nmode: ipvs\n"}}"#
        #expect(try read(map) == ProxyConfiguration())
    }

    @Test func primaryNodePortAddresses() throws {
        #expect(try read(lines: "nodePortAddresses: [primary]\n").nodePortAddresses == .primary)
        #expect(try read(lines: "nodePortAddresses: []\n").nodePortAddresses == .all)
    }

    @Test(arguments: [
        ("", "f: the file is empty"),
        ("a: 1\n", "f line 1: kind is missing: KubeProxyConfiguration, or ConfigMap, is expected"),
        ("- 1\n", "f line 1: a mapping is expected, not a list"),
        (
            "kind: Pod\n",
            "f line 1: kind: KubeProxyConfiguration, or the ConfigMap that holds it, is expected, not Pod"
        ),
        (
            "kind: ConfigMap\ndata:\n  other: x\n",
            "f line 3: data: the ConfigMap has no config.conf; is it kube-proxy's?"
        ),
        (
            "kind: KubeProxyConfiguration\n",
            "f line 1: without a mode kube-proxy uses iptables; Fairlead stands in for kube-proxy's mode ipvs; "
                + "set mode: ipvs"
        ),
        (
            "kind: KubeProxyConfiguration\nmode: iptables\n",
            "f line 2: mode: mode iptables is not for Fairlead; Fairlead stands in for kube-proxy's mode ipvs; "
                + "set mode: ipvs"
        ),
        (
            "kind: KubeProxyConfiguration\nmode: ipsv\n",
            "f line 2: mode: there is no mode ipsv; did you mean ipvs? Fairlead stands in for kube-proxy's mode ipvs; "
                + "set mode: ipvs"
        ),
        (
            "kind: KubeProxyConfiguration\nmode: ipvs\n---\na: 1\n",
            "f line 4: one document is expected, and this is the second"
        ),
    ])
    func otherDocumentsAreRefused(text: String, sentence: String) {
        #expect(failure { try read(text) } == sentence)
    }

    @Test(arguments: [
        ("apiVersion: kubeproxy.config.k8s.io/v1beta1", "kubeproxy.config.k8s.io/v1alpha1 is expected"),
        ("ipvs: {schedular: rr}", "ipvs.schedular: unknown field; did you mean scheduler?"),
        ("ipvs: {scheduler: roundrobin}", "there is no scheduler roundrobin (rr, wrr, "),
        ("ipvs: {scheduler: wlcc}", "there is no scheduler wlcc; did you mean wlc?"),
        ("ipvs: {excludeCIDRs: [10.0.0.0]}", "excludeCIDRs[0]: ADDRESS/LENGTH is expected, e.g. 10.100.0.0/16, not"),
        ("ipvs: {excludeCIDRs: 10.0.0.0/8}", "excludeCIDRs: a list is expected"),
        ("ipvs: {syncPeriod: 30}", "syncPeriod: a duration is expected, e.g. 30s or 1m30s, not 30"),
        ("ipvs: {syncPeriod: -1s}", "-1s: a duration here is not negative"),
        ("ipvs: {minSyncPeriod: 31s}", "minSyncPeriod: it must not be longer than syncPeriod, which is 30"),
        ("ipvs: {tcpTimeout: 745h}", "tcpTimeout: a timeout is at most 31 days"),
        ("ipvs: {strictARP: yes}", "strictARP: true or false is expected, not \"yes\""),
        ("iptables: {masqueradeBit: 32}", "masqueradeBit: a whole number from 0 to 31 is expected, not \"32\""),
        ("iptables: {masqueradeAll: \"true\"}", "masqueradeAll: true or false is expected, not \"true\""),
        ("clusterCIDR: 10.100.0.0", "clusterCIDR: ADDRESS/LENGTH is expected"),
        ("clusterCIDR: 10.1.0.0/16,10.2.0.0/16", "clusterCIDR: one prefix of each family at most"),
        ("nodePortAddresses: [localhost]", "nodePortAddresses[0]: ADDRESS/LENGTH is expected"),
        ("bindAddress: eth0", "bindAddress: an address is expected, not eth0"),
        ("detectLocalMode: NodeCIDR", "NodeCIDR is not supported: Fairlead tells pods by clusterCIDR"),
        ("detectLocalMode: ClusterCIDRs", "there is no mode ClusterCIDRs; did you mean ClusterCIDR?"),
    ])
    func badValuesAreNamed(line: String, words: String) throws {
        let sentence = try #require(failure { try read(lines: line + "\n") })
        #expect(sentence.hasPrefix("f line 3: "), "\(sentence)")
        #expect(sentence.contains(words), "\(sentence)")
    }

    @Test func theLineIsThatOfTheConfigMap() throws {
        let text = try Case.text("kube-proxy.yaml").replacing("scheduler: \"\"", with: "scheduler: \"lru\"")
        let sentence = try #require(failure { try read(text) })
        #expect(sentence.hasPrefix("f line 32: ipvs.scheduler: there is no scheduler lru"), "\(sentence)")
    }
}

/// The files of the kube-proxy case.
enum Case {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Case")

    static func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }
}
