/// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.
///
/// Sums are kept as they lie in memory: the byte order does not matter while summing (RFC 1071 §2B), so nothing here
/// swaps; what is stored back is stored raw.
public enum Checksum {
    /// Fold a sum to 16 bits: the halves are added to each other with the carry brought round, twice. 0 for 0 only.
    @inlinable @inline(__always)
    public static func fold(_ sum: UInt64) -> UInt16 {
        let half = UInt32(truncatingIfNeeded: (sum &+ (sum &<< 32 | sum &>> 32)) &>> 32)
        return UInt16(truncatingIfNeeded: (half &+ (half &<< 16 | half &>> 16)) &>> 16)
    }

    /// Add with the carry brought round.
    @inlinable @inline(__always)
    public static func add(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, carry) = left.addingReportingOverflow(right)
        return sum &+ (carry ? 1 : 0)
    }

    /// The sum of all words of `bytes`, an odd last byte padded with zero, on top of `initial`.
    @inlinable
    public static func sum(_ bytes: PacketBytes, _ initial: UInt64 = 0) -> UInt64 {
        var total = initial
        var offset = 0
        let count = bytes.count
        while offset &+ 8 <= count {
            total = add(total, bytes.loadRaw(offset, as: UInt64.self))
            offset &+= 8
        }
        if offset &+ 4 <= count {
            total = add(total, UInt64(bytes.loadRaw(offset, as: UInt32.self)))
            offset &+= 4
        }
        if offset &+ 2 <= count {
            total = add(total, UInt64(bytes.loadRaw(offset, as: UInt16.self)))
            offset &+= 2
        }
        if offset < count { total = add(total, UInt64(UInt16(bytes[offset]).littleEndian)) }
        return total
    }

    /// The checksum of `bytes`, raw: store it with `store(raw:)`. Zero means a packet whose checksum field is right.
    @inlinable @inline(__always)
    public static func checksum(_ bytes: PacketBytes, _ initial: UInt64 = 0) -> UInt16 { ~fold(sum(bytes, initial)) }

    /// The sum of the pseudo-header (RFC 793 §3.1, RFC 8200 §8.1), raw.
    ///
    /// - Parameter length: bytes of transport header and payload.
    @inlinable
    public static func pseudoHeader(
        _ source: IPAddress, _ destination: IPAddress, transportProtocol: UInt8, length: Int
    ) -> UInt64 {
        let tail = UInt64(UInt32(truncatingIfNeeded: length).bigEndian)
        return add(
            add(sum(source), sum(destination)),
            add(tail, UInt64(UInt16(transportProtocol).bigEndian)))
    }

    /// The sum of an address's words, raw.
    @inlinable @inline(__always)
    public static func sum(_ address: IPAddress) -> UInt64 {
        address.isV4
            ? UInt64(address.v4.bigEndian) : add(address.high.bigEndian, address.low.bigEndian)
    }

    /// The change of a sum when words that summed to `old` come to sum to `new`: HC' = ~(~HC + ~m + m') (RFC 1624 eq. 3).
    /// Both are raw; pass the result to `adjust`.
    @inlinable @inline(__always)
    public static func difference(from old: UInt64, to new: UInt64) -> UInt64 { add(~old, new) }

    /// `difference` for one 16-bit field given in host order.
    @inlinable @inline(__always)
    public static func difference(from old: UInt16, to new: UInt16) -> UInt64 {
        UInt64(~old.bigEndian) &+ UInt64(new.bigEndian)
    }

    /// A checksum field (raw) after `difference`.
    @inlinable @inline(__always)
    public static func adjust(_ checksum: UInt16, by difference: UInt64) -> UInt16 {
        ~fold(add(UInt64(~checksum), difference))
    }

    /// A *partial* checksum field (raw) after `difference`: the field holds the uncomplemented pseudo-header sum
    /// (`design` trap: `PACKET_VNET_HDR` with `VIRTIO_NET_HDR_F_NEEDS_CSUM`), so it moves without complementing.
    @inlinable @inline(__always)
    public static func adjustPartial(_ sum: UInt16, by difference: UInt64) -> UInt16 {
        fold(add(UInt64(sum), difference))
    }
}

extension PacketBytes {
    /// Store a raw 16-bit value, as the checksum functions give it.
    @inlinable @inline(__always)
    public func storeRaw(_ value: UInt16, _ offset: Int) {
        store(UInt16(bigEndian: value), offset)
    }
}
