/// The other end of the tunnels (`-i`), for real servers whose kernel has no ipip, GUE or GRE module: packets of tunnels
/// come by raw sockets and a UDP socket, so fragments are whole and outer checksums verified by the kernel already, and
/// what they carry goes to the host's stack by a TUN device.
///
/// What is right and wrong in a tunnel packet is decided by `InnerPacket`, which sees bytes only.
public enum Decapsulation {}

/// How a packet is wrapped.
public enum Carrier: Hashable, Sendable, CaseIterable {
    /// IPv4 directly in IP, protocol 4 (RFC 2003, RFC 2473).
    case ipv4
    /// IPv6 directly in IP, protocol 41 (RFC 4213, RFC 2473).
    case ipv6
    /// GUE in UDP (draft-ietf-intarea-gue-09).
    case gue
    /// GRE, protocol 47 (RFC 2784).
    case gre
}

/// Why a packet of a tunnel is not given to the host; each is counted.
public enum Refusal: String, Error, Hashable, Sendable, CaseIterable {
    /// Shorter than its headers say, or than they must be.
    case truncated
    /// The IP version inside is not the one that the tunnel's header names.
    case version
    /// It carries neither IPv4 nor IPv6.
    case contents
    /// A GUE or GRE header with a version or options that are not understood, or a GUE control message.
    case header
    /// Wrong GRE checksum.
    case checksum
    /// Congestion was marked on the way, and the packet inside cannot carry the mark (RFC 6040 §4.2).
    case congestion
    /// It does not come from one of the directors that `--from` names.
    case sender
    /// The TUN device did not take it.
    case device
}
