/// SipHash with one compression and three finalisation rounds (Aumasson, Bernstein, INDOCRYPT 2012) of a single 32-bit
/// word, as the kernel's mh uses it (`lib/siphash.c`, `hsiphash` on 64-bit machines).
enum SipHash13 {
    /// The low 32 bits of the hash of `word`'s four little-endian bytes under the key (`key`, `key`).
    static func hash(_ word: UInt32, key: UInt64) -> UInt32 {
        var state = SipState(key0: key, key1: key)
        // The last block: the word and, in the top byte, the length of the input.
        state.absorb(4 << 56 | UInt64(word))
        return UInt32(truncatingIfNeeded: state.finish())
    }
}

/// SipHash while it goes on.
struct SipState {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    init(key0: UInt64, key1: UInt64) {
        v0 = 0x736f_6d65_7073_6575 ^ key0
        v1 = 0x646f_7261_6e64_6f6d ^ key1
        v2 = 0x6c79_6765_6e65_7261 ^ key0
        v3 = 0x7465_6462_7974_6573 ^ key1
    }

    /// Take in a block. The last has the input's length in bytes, modulo 256, in its top byte.
    mutating func absorb(_ block: UInt64) {
        v3 ^= block
        round()
        v0 ^= block
    }

    /// The hash.
    mutating func finish() -> UInt64 {
        v2 ^= 0xff
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &<< bits | value &>> (64 &- bits) }
}
