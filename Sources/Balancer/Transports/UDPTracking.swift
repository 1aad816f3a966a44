/// UDP as IPVS follows it: one state, restarted by each packet (`net/netfilter/ipvs/ip_vs_proto_udp.c`).
public enum UDPTracking {
    /// The state's name in listings.
    public static let stateName = "UDP"
}
