public import Wire

/// How a FULLNAT service tells its real servers the client's address.
public enum ClientAddressCarrier: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    /// Not at all: the real server sees the local address.
    case none = 0
    /// TOA: a TCP option of kind 254 (DPVS, `include/ipvs/proto_tcp.h`).
    case tcpOption = 1
    /// A PROXY protocol v2 header before the client's first bytes.
    case proxyProtocol = 2

    /// Whether a service of this protocol (`IPProtocol`; 0: of a mark, and so of any) may have it: TOA is a TCP option, a
    /// PROXY header goes before a connection's bytes or into each datagram.
    public func isUsable(with transportProtocol: UInt8) -> Bool {
        switch self {
        case .none: true
        case .tcpOption: transportProtocol == 0 || transportProtocol == IPProtocol.tcp
        case .proxyProtocol:
            transportProtocol == 0 || transportProtocol == IPProtocol.tcp || transportProtocol == IPProtocol.udp
        }
    }
}

/// A local address of a FULLNAT service as it stands.
public struct LocalAddressStatus: Hashable, Sendable {
    /// The address.
    public var address: IPAddress
    /// Ports of it in use, by whichever services share it.
    public var connections: UInt32
    /// Ports of it that are free, of the transports that services use it for.
    public var free: UInt32
    /// New connections turned away because no port of it was free.
    public var exhausted: UInt64

    /// From its parts.
    public init(address: IPAddress, connections: UInt32 = 0, free: UInt32 = 0, exhausted: UInt64 = 0) {
        self.address = address
        self.connections = connections
        self.free = free
        self.exhausted = exhausted
    }
}
