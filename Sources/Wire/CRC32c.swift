/// CRC32c, the checksum of SCTP (RFC 9260 appendix A): the Castagnoli polynomial 0x1edc6f41, reflected, all ones before
/// and complemented after.
///
/// It works on four bits at a time with a table of 64 bytes that lives in the value itself: a global table would be
/// initialised lazily, which the packet path may not do, and SCTP is too rare to pay for a large one.
public struct CRC32c: Sendable, BitwiseCopyable {
    @usableFromInline var remainder: UInt32
    @usableFromInline let table: InlineArray<16, UInt32>

    /// The checksum of no bytes, to be updated.
    @inlinable @inline(__always)
    public init() {
        remainder = ~0
        // The remainders of the sixteen values of four bits: bit by bit, shift and, when a one falls out, add 0x82f63b78.
        table = [
            0x0000_0000, 0x105e_c76f, 0x20bd_8ede, 0x30e3_49b1, 0x417b_1dbc, 0x5125_dad3, 0x61c6_9362, 0x7198_540d,
            0x82f6_3b78, 0x92a8_fc17, 0xa24b_b5a6, 0xb215_72c9, 0xc38d_26c4, 0xd3d3_e1ab, 0xe330_a81a, 0xf36e_6f75,
        ]
    }

    /// The checksum of all bytes given so far.
    @inlinable @inline(__always)
    public var value: UInt32 { ~remainder }

    @inlinable @inline(__always)
    mutating func update(byte: UInt8) {
        remainder ^= UInt32(byte)
        remainder = remainder >> 4 ^ table[Int(remainder & 0xf)]
        remainder = remainder >> 4 ^ table[Int(remainder & 0xf)]
    }

    /// Go on with `bytes`.
    @inlinable
    public mutating func update(_ bytes: PacketBytes) {
        var offset = 0
        while offset < bytes.count {
            update(byte: bytes[offset])
            offset &+= 1
        }
    }

    /// Go on with `count` bytes of zero.
    @inlinable
    public mutating func updateZeros(_ count: Int) {
        var remaining = count
        while remaining > 0 {
            update(byte: 0)
            remaining &-= 1
        }
    }

    /// The checksum of `bytes`.
    @inlinable
    public static func checksum(_ bytes: PacketBytes) -> UInt32 {
        var crc = CRC32c()
        crc.update(bytes)
        return crc.value
    }
}
