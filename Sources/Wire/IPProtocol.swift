/// IP protocol numbers (IANA) that this project knows.
public enum IPProtocol {
    /// IPv6 hop-by-hop options, and the `IP` pseudo-protocol of fwmark templates.
    public static let hopByHop: UInt8 = 0
    /// ICMP.
    public static let icmp: UInt8 = 1
    /// IPv4 in IP (RFC 2003).
    public static let ipip: UInt8 = 4
    /// TCP.
    public static let tcp: UInt8 = 6
    /// UDP.
    public static let udp: UInt8 = 17
    /// IPv6 in IP (RFC 2473).
    public static let ipv6: UInt8 = 41
    /// IPv6 routing header.
    public static let routing: UInt8 = 43
    /// IPv6 fragment header.
    public static let fragment: UInt8 = 44
    /// GRE (RFC 2784).
    public static let gre: UInt8 = 47
    /// Authentication header.
    public static let authentication: UInt8 = 51
    /// ICMPv6.
    public static let icmpv6: UInt8 = 58
    /// IPv6 no next header.
    public static let none: UInt8 = 59
    /// IPv6 destination options.
    public static let destinationOptions: UInt8 = 60
    /// SCTP.
    public static let sctp: UInt8 = 132
}
