public import Balancer
public import Wire

/// What of a `KubeProxyConfiguration` (kubeproxy.config.k8s.io/v1alpha1) has an effect here, defaults filled in.
public struct ProxyConfiguration: Hashable, Sendable {
    /// On which of the node's addresses node ports are served (`nodePortAddresses`).
    public enum NodePortAddresses: Hashable, Sendable {
        /// On all.
        case all
        /// On the first of each family (`primary`).
        case primary
        /// On those that lie in these prefixes.
        case inside([AddressPrefix])
    }

    /// `ipvs.scheduler`; empty means rr.
    public var scheduler = SchedulerKind.rr
    /// Services in these prefixes are never removed (`ipvs.excludeCIDRs`).
    public var excludedPrefixes: [AddressPrefix] = []
    /// How often the rules are brought back to what they should be (`ipvs.syncPeriod`); kube-proxy's default is 30 s.
    public var syncPeriod = Duration.seconds(30)
    /// The least time between two changes of the rules (`ipvs.minSyncPeriod`).
    public var minimumSyncPeriod = Duration.zero
    /// `ipvs.tcpTimeout`, `tcpFinTimeout`, `udpTimeout` in seconds; 0 keeps the one in force.
    public var timeouts = Timeouts(tcp: 0, tcpFin: 0, udp: 0)
    /// `iptables.masqueradeAll`.
    public var masqueradesAll = false
    /// The pods' prefixes (`clusterCIDR`), at most one of each family.
    public var clusterPrefixes: [AddressPrefix] = []
    /// `nodePortAddresses`.
    public var nodePortAddresses = NodePortAddresses.all
    /// `bindAddress`, where it is one of the node's addresses and not just any.
    public var bindAddress: IPAddress?
    /// `hostnameOverride`: the node's name.
    public var nodeName: String?

    /// kube-proxy's defaults, for mode ipvs.
    public init() {}
}
