/// IP protocol numbers (IANA) that this project knows.
public enum IPProtocol {
    /// IPv6 hop-by-hop options, and the `IP` pseudo-protocol of fwmark templates.
    @inlinable public static var hopByHop: UInt8 { 0 }
    /// ICMP.
    @inlinable public static var icmp: UInt8 { 1 }
    /// IPv4 in IP (RFC 2003).
    @inlinable public static var ipip: UInt8 { 4 }
    /// TCP.
    @inlinable public static var tcp: UInt8 { 6 }
    /// UDP.
    @inlinable public static var udp: UInt8 { 17 }
    /// IPv6 in IP (RFC 2473).
    @inlinable public static var ipv6: UInt8 { 41 }
    /// IPv6 routing header.
    @inlinable public static var routing: UInt8 { 43 }
    /// IPv6 fragment header.
    @inlinable public static var fragment: UInt8 { 44 }
    /// GRE (RFC 2784).
    @inlinable public static var gre: UInt8 { 47 }
    /// Authentication header.
    @inlinable public static var authentication: UInt8 { 51 }
    /// ICMPv6.
    @inlinable public static var icmpv6: UInt8 { 58 }
    /// IPv6 no next header.
    @inlinable public static var none: UInt8 { 59 }
    /// IPv6 destination options.
    @inlinable public static var destinationOptions: UInt8 { 60 }
    /// SCTP.
    @inlinable public static var sctp: UInt8 { 132 }
}
