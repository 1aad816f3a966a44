/// An Ethernet address (IEEE 802): 48 bits, the first byte on the wire is the highest of `bits`.
public struct MACAddress: Hashable, Sendable, BitwiseCopyable {
    /// The address in the low 48 bits.
    public let bits: UInt64

    /// From the low 48 bits of `bits`.
    @inlinable @inline(__always)
    public init(bits: UInt64) { self.bits = bits & 0xffff_ffff_ffff }

    /// ff:ff:ff:ff:ff:ff.
    @inlinable public static var broadcast: MACAddress { MACAddress(bits: 0xffff_ffff_ffff) }
    /// 00:00:00:00:00:00, used where there is none.
    @inlinable public static var zero: MACAddress { MACAddress(bits: 0) }

    /// Whether the group bit is set (multicast and broadcast).
    @inlinable @inline(__always)
    public var isGroup: Bool { bits & 0x0100_0000_0000 != 0 }

    /// Whether all six bytes are the same.
    @inlinable @inline(__always)
    public static func == (left: MACAddress, right: MACAddress) -> Bool { left.bits == right.bits }

    /// The address at `offset` of `bytes`.
    @inlinable @inline(__always)
    public init(_ bytes: PacketBytes, at offset: Int) {
        bits = UInt64(bytes.load(offset, as: UInt16.self)) << 32 | UInt64(bytes.load(offset &+ 2, as: UInt32.self))
    }

    /// Write the six bytes at `offset` of `bytes`.
    @inlinable @inline(__always)
    public func write(to bytes: PacketBytes, at offset: Int) {
        bytes.store(UInt16(truncatingIfNeeded: bits >> 32), offset)
        bytes.store(UInt32(truncatingIfNeeded: bits), offset &+ 2)
    }
}

extension MACAddress: CustomStringConvertible, LosslessStringConvertible {
    /// From `02:00:00:00:01:fe`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var bits: UInt64 = 0
        for part in parts {
            // The standard library's parser would take a sign for a digit.
            guard part.utf8.count == 2, part.first?.isHexDigit == true, let byte = UInt8(part, radix: 16) else {
                return nil
            }
            bits = bits << 8 | UInt64(byte)
        }
        self.init(bits: bits)
    }

    /// As `02:00:00:00:01:fe`.
    public var description: String {
        (0..<6).reversed().map { index in
            let byte = UInt8(truncatingIfNeeded: bits >> (8 * UInt64(index)))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: ":")
    }
}
