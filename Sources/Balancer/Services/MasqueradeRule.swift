/// Which new connections of a service leave under the director's own address, although its destinations are NAT.
///
/// kube-proxy decides this per client and not per destination (`kubernetes/kubernetes`, `pkg/proxy/ipvs/proxier.go`,
/// `writeIptablesRules`). The rule is looked at once, when an entry is made; a match binds that entry to FULLNAT. With any
/// rule, a connection that a destination opens to itself through the service is masqueraded too, since its replies would
/// not come back otherwise.
public enum MasqueradeRule: Hashable, Sendable, BitwiseCopyable {
    /// Those of a destination to itself only.
    case loops
    /// Those of clients outside a prefix of the service's family.
    case outside(AddressPrefix)
    /// All of a service on one of the node's own addresses.
    case nodePort
    /// All.
    case all
}
