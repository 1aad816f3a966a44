/// The kernel's 32-bit hash of dh and sh: the product with 2^32 times the golden ratio's complement, of which the top
/// bits count (`include/linux/hash.h`, `hash_32`).
enum GoldenRatioHash {
    /// Places of a table indexed by `byte` (`IP_VS_SH_TAB_SIZE`).
    static var places: Int { 256 }

    /// The top eight bits of the hash.
    static func byte(_ value: UInt32) -> Int { Int((value &* 0x61c8_8647) >> 24) }
}
