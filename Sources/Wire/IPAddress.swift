/// The two address families.
public enum AddressFamily: UInt8, Hashable, Sendable, BitwiseCopyable {
    /// IPv4.
    case v4 = 4
    /// IPv6.
    case v6 = 6

    /// Bits of an address: 32 or 128.
    @inlinable public var bits: Int { self == .v4 ? 32 : 128 }
}

/// An IPv4 or IPv6 address, 16 bytes.
///
/// An IPv4 address is kept in its mapped form ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), which no packet on the wire may carry
/// as an IPv6 address, so the family needs no bit of its own.
public struct IPAddress: Hashable, Sendable, BitwiseCopyable {
    /// The first eight bytes, as a number.
    public let high: UInt64
    /// The last eight bytes, as a number.
    public let low: UInt64

    /// From the two halves of an IPv6 address.
    @inlinable @inline(__always)
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// From an IPv4 address in host order: 10.0.2.1 is 0x0a000201.
    @inlinable @inline(__always)
    public init(v4: UInt32) {
        high = 0
        low = 0xffff_0000_0000 | UInt64(v4)
    }

    /// 0.0.0.0.
    @inlinable public static var anyV4: IPAddress { IPAddress(v4: 0) }
    /// `::`.
    @inlinable public static var anyV6: IPAddress { IPAddress(high: 0, low: 0) }

    /// Whether this is an IPv4 address.
    @inlinable @inline(__always)
    public var isV4: Bool { high == 0 && low >> 32 == 0xffff }

    /// The family.
    @inlinable @inline(__always)
    public var family: AddressFamily { isV4 ? .v4 : .v6 }

    /// The 32 bits of an IPv4 address in host order (of an IPv6 address, its last four bytes).
    @inlinable @inline(__always)
    public var v4: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// 0.0.0.0 or `::`.
    @inlinable @inline(__always)
    public var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }

    /// 127.0.0.0/8 or ::1.
    @inlinable @inline(__always)
    public var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : high == 0 && low == 1 }

    /// 224.0.0.0/4 or ff00::/8.
    @inlinable @inline(__always)
    public var isMulticast: Bool { isV4 ? v4 >> 28 == 0xe : high >> 56 == 0xff }

    /// fe80::/10 (RFC 4291 §2.5.6).
    @inlinable @inline(__always)
    public var isLinkLocalV6: Bool { high >> 54 == 0x3fa }

    /// The address as the schedulers' hashes see it: the 32 bits of IPv4, the xor of an IPv6 address's four words
    /// (`net/netfilter/ipvs/ip_vs_sh.c`, `ip_vs_sh_hashkey`).
    @inlinable @inline(__always)
    public var folded: UInt32 {
        guard !isV4 else { return v4 }
        let mixed = high ^ low
        return UInt32(truncatingIfNeeded: mixed >> 32) ^ UInt32(truncatingIfNeeded: mixed)
    }

    /// The address with all but its first `length` bits zero.
    @inlinable
    public func masked(_ length: Int) -> IPAddress {
        if isV4 { return IPAddress(v4: length <= 0 ? 0 : length >= 32 ? v4 : v4 & ~(UInt32.max >> UInt32(length))) }
        let highMask = length >= 64 ? UInt64.max : length <= 0 ? 0 : ~(UInt64.max >> UInt64(length))
        let lowMask = length >= 128 ? UInt64.max : length <= 64 ? 0 : ~(UInt64.max >> UInt64(length - 64))
        return IPAddress(high: high & highMask, low: low & lowMask)
    }

    /// The IPv4 address at `offset`.
    @inlinable @inline(__always)
    public init(v4 bytes: PacketBytes, at offset: Int) { self.init(v4: bytes.load(offset, as: UInt32.self)) }

    /// The IPv6 address at `offset`.
    @inlinable @inline(__always)
    public init(v6 bytes: PacketBytes, at offset: Int) {
        self.init(high: bytes.load(offset, as: UInt64.self), low: bytes.load(offset &+ 8, as: UInt64.self))
    }

    /// Write the 4 or 16 bytes of the address at `offset`.
    @inlinable @inline(__always)
    public func write(to bytes: PacketBytes, at offset: Int) {
        if isV4 {
            bytes.store(v4, offset)
        } else {
            bytes.store(high, offset)
            bytes.store(low, offset &+ 8)
        }
    }
}

extension IPAddress: Comparable {
    /// Whether all 16 bytes are the same.
    @inlinable @inline(__always)
    public static func == (left: IPAddress, right: IPAddress) -> Bool {
        left.high == right.high && left.low == right.low
    }

    /// IPv4 before IPv6, then by number.
    @inlinable
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        if left.isV4 != right.isV4 { return left.isV4 }
        return (left.high, left.low) < (right.high, right.low)
    }
}
