/// How a packet reaches its destination; the raw values are the kernel's `IP_VS_CONN_F_*`, FULLNAT's is our own.
public enum ForwardingMethod: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    /// NAT (`-m`): the destination address and port are rewritten, replies come back through the director.
    case masquerading = 0
    /// The destination is an address of the director's own host: the local stack gets the packet.
    case localNode = 1
    /// Tunnel (`-i`): the packet is wrapped in an outer header.
    case tunneling = 2
    /// Direct routing (`-g`): only the Ethernet header and the TTL change.
    case directRouting = 3
    /// FULLNAT (`--fullnat`, as DPVS): source and destination are rewritten, so replies come to a local address of ours.
    case fullNAT = 4

    /// The name in ipvsadm's listings.
    public var listedName: String {
        switch self {
        case .masquerading: "Masq"
        case .localNode: "Local"
        case .tunneling: "Tunnel"
        case .directRouting: "Route"
        case .fullNAT: "FullNat"
        }
    }
}
