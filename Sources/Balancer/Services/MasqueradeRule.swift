public import Wire

/// Which new connections of a service leave under the director's own address, although its destinations are NAT.
///
/// kube-proxy decides this per client and not per destination (`kubernetes/kubernetes`, `pkg/proxy/ipvs/proxier.go`,
/// `writeIptablesRules`). The rule is looked at once, when an entry is made; a match binds that entry to FULLNAT. With any
/// rule, a connection that a destination opens to itself through the service is masqueraded too, since its replies would
/// not come back otherwise. Without a local address connections stay NAT.
public enum MasqueradeRule: Hashable, Sendable, BitwiseCopyable {
    /// Those of a destination to itself only.
    case loops
    /// Those of clients outside a prefix of the service's family.
    case outside(AddressPrefix)
    /// All of a service on one of the node's own addresses.
    case nodePort
    /// All.
    case all

    /// Whether a new connection of `client` to a destination's address is one. Packet path.
    @inlinable @inline(__always)
    public func includes(_ client: IPAddress, to destination: IPAddress) -> Bool {
        if client == destination { return true }
        switch self {
        case .loops: return false
        case .outside(let prefix): return !prefix.contains(client)
        case .nodePort, .all: return true
        }
    }
}
