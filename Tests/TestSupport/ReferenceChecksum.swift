/// Checksums worked out the slow and obvious way, to judge those of `Wire` by.
public enum ReferenceChecksum {
    /// The Internet checksum as RFC 1071 §4.1 has it, one word after the other, in host order.
    public static func internet(_ bytes: [UInt8]) -> UInt16 {
        ~sum(bytes)
    }

    /// The ones' complement sum of the words of `bytes`, in host order, an odd last byte padded with zero.
    public static func sum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
            sum = sum & 0xffff + sum >> 16
        }
        return UInt16(sum & 0xffff + sum >> 16)
    }

    /// The bytes of the pseudo-header: of IPv4 (RFC 9293 §3.1) for addresses of four bytes, else of IPv6 (RFC 8200 §8.1).
    public static func pseudoHeader(
        source: [UInt8], destination: [UInt8], transportProtocol: UInt8, length: Int
    ) -> [UInt8] {
        let bytes = source + destination
        guard source.count == 4 else {
            return bytes + UInt32(length).networkBytes + [0, 0, 0, transportProtocol]
        }
        return bytes + [0, transportProtocol] + UInt16(length).networkBytes
    }

    /// CRC32c bit by bit (RFC 9260 appendix A).
    public static func crc32c(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = .max
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82f6_3b78 }
        }
        return ~remainder
    }
}

extension FixedWidthInteger {
    /// The bytes in network order.
    public var networkBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { [UInt8]($0) } }
}
