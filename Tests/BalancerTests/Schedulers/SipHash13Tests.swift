import TestSupport
import Testing

@testable import Balancer

/// SipHash over bytes for any number of rounds, from the paper.
enum ReferenceSipHash {
    static func hash(_ message: [UInt8], _ k0: UInt64, _ k1: UInt64, compression: Int, finalisation: Int) -> UInt64 {
        var v = [
            k0 ^ 0x736f_6d65_7073_6575, k1 ^ 0x646f_7261_6e64_6f6d, k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ]
        func rotate(_ value: UInt64, _ bits: Int) -> UInt64 { value << bits | value >> (64 - bits) }
        func mix(_ a: Int, _ b: Int, _ turn: Int) {
            v[a] &+= v[b]
            v[b] = rotate(v[b], turn) ^ v[a]
        }
        func round() {
            mix(0, 1, 13)
            mix(2, 3, 16)
            v[0] = rotate(v[0], 32)
            mix(2, 1, 17)
            mix(0, 3, 21)
            v[2] = rotate(v[2], 32)
        }
        var padded =
            message + [UInt8](repeating: 0, count: 7 - message.count % 8) + [UInt8(truncatingIfNeeded: message.count)]
        while !padded.isEmpty {
            let block = padded.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            padded.removeFirst(8)
            v[3] ^= block
            for _ in 0..<compression { round() }
            v[0] ^= block
        }
        v[2] ^= 0xff
        for _ in 0..<finalisation { round() }
        return v[0] ^ v[1] ^ v[2] ^ v[3]
    }

    /// SipHash-1-3 of a little-endian word under the key (`key`, `key`), its low half.
    static func hash13(_ word: UInt32, _ key: UInt64) -> UInt32 {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        return UInt32(truncatingIfNeeded: hash(bytes, key, key, compression: 1, finalisation: 3))
    }
}

@Suite struct SipHash13Tests {
    /// The reference is right: the paper's example, SipHash-2-4 of the bytes 0...14 under the key 00...0f (appendix A).
    @Test func theReferenceKnowsThePapersExample() {
        let hash = ReferenceSipHash.hash(
            Array(0...14), 0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908, compression: 2, finalisation: 4)
        #expect(hash == 0xa129_ca61_49be_45e5)
    }

    @Test func aWordIsHashedAsTheReferenceDoes() {
        var random = SeededRandom(seed: 13)
        for _ in 0..<2000 {
            let word = UInt32(truncatingIfNeeded: random.next())
            let key = random.next()
            #expect(SipHash13.hash(word, key: key) == ReferenceSipHash.hash13(word, key))
        }
    }
}
