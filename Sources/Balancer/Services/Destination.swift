/// How a tunnelled packet is wrapped (`--tun-type`).
public enum TunnelKind: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// IP in IP (RFC 2003), the default.
    case ipip = 0
    /// Generic UDP encapsulation (draft-ietf-intarea-gue).
    case gue = 1
    /// GRE (RFC 2784).
    case gre = 2
}

/// The checksum of the outer header of a GUE or GRE tunnel.
public enum TunnelChecksum: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// `--tun-nocsum`, the default.
    case none = 0
    /// `--tun-csum`.
    case full = 1
    /// `--tun-remcsum`: remote checksum offload (GUE only).
    case remote = 2
}

/// How packets to a tunnelling destination are wrapped.
public struct TunnelOptions: Hashable, Sendable {
    /// What is put around the packet.
    public var kind: TunnelKind
    /// UDP destination port of GUE.
    public var port: UInt16
    /// Outer checksum.
    public var checksum: TunnelChecksum

    /// Plain IPIP unless said otherwise.
    public init(kind: TunnelKind = .ipip, port: UInt16 = 0, checksum: TunnelChecksum = .none) {
        self.kind = kind
        self.port = port
        self.checksum = checksum
    }

    /// All three in a word, for a destination's state: kind in the low byte, checksum in the next, port above.
    @inlinable
    var packed: UInt32 { UInt32(kind.rawValue) | UInt32(checksum.rawValue) << 8 | UInt32(port) << 16 }

    /// From a word.
    @inlinable
    init(packed: UInt32) {
        kind = TunnelKind(rawValue: UInt8(truncatingIfNeeded: packed)) ?? .ipip
        checksum = TunnelChecksum(rawValue: UInt8(truncatingIfNeeded: packed >> 8)) ?? .none
        port = UInt16(truncatingIfNeeded: packed >> 16)
    }
}

/// A destination (real server) of a service as the rules state it.
public struct Destination: Hashable, Sendable {
    /// What it is known by.
    public var key: DestinationKey
    /// How packets reach it.
    public var method: ForwardingMethod
    /// 0 quiesces; 1 unless said otherwise.
    public var weight: Int32
    /// No new connections at this many (`-x`); 0: no limit.
    public var upperThreshold: UInt32
    /// New connections again below this many (`-y`); 0: three quarters of the upper.
    public var lowerThreshold: UInt32
    /// For `tunneling`.
    public var tunnel: TunnelOptions

    /// A destination with ipvsadm's defaults.
    public init(
        key: DestinationKey, method: ForwardingMethod = .directRouting, weight: Int32 = 1, upperThreshold: UInt32 = 0,
        lowerThreshold: UInt32 = 0, tunnel: TunnelOptions = TunnelOptions()
    ) {
        self.key = key
        self.method = method
        self.weight = weight
        self.upperThreshold = upperThreshold
        self.lowerThreshold = lowerThreshold
        self.tunnel = tunnel
    }
}
