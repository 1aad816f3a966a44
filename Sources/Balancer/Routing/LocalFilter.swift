/// Says of most IPv4 addresses at once that they are not the host's own, which each packet is asked about its sender: a
/// bit for each of 64 classes of addresses. What it does not rule out is looked up.
@usableFromInline
struct LocalFilter: BitwiseCopyable {
    @usableFromInline var classes: UInt64 = 0

    /// Nothing is local.
    init() {}

    /// The class of an address (multiplicative hashing: Knuth, vol. 3, section 6.4). The loopback network has the last
    /// one to itself: no packet on the wire carries its addresses.
    @inlinable @inline(__always)
    static func number(_ address: UInt32) -> UInt64 {
        guard address >> 24 != 127 else { return 63 }
        return (UInt64(address &* 0x9e37_79b1) &* 63) >> 32
    }

    /// The addresses of a prefix may be local.
    mutating func insert(_ first: UInt32, prefixLength: Int) {
        let isLoopback = first >> 24 == 127 && prefixLength >= 8
        classes |= prefixLength == 32 || isLoopback ? 1 << Self.number(first) : .max
    }

    /// Whether `address` may be local.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    func mayContain(_ address: UInt32) -> Bool { classes >> Self.number(address) & 1 != 0 }
}
