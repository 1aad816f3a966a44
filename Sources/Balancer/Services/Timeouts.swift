/// The three timeouts that `ipvsadm --set` changes, in seconds.
public struct Timeouts: Hashable, Sendable {
    /// TCP in ESTABLISHED.
    public var tcp: UInt32
    /// TCP in FIN_WAIT.
    public var tcpFin: UInt32
    /// UDP.
    public var udp: UInt32

    /// The kernel's defaults unless given (`net/netfilter/ipvs/ip_vs_proto_tcp.c`, `_udp.c`).
    public init(tcp: UInt32 = 900, tcpFin: UInt32 = 120, udp: UInt32 = 300) {
        self.tcp = tcp
        self.tcpFin = tcpFin
        self.udp = udp
    }
}
