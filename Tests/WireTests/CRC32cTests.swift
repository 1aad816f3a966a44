import TestSupport
import Testing
import Wire

@Suite struct CRC32cTests {
    /// The check value and the examples of RFC 3720 §B.4.
    private static let answers: [([UInt8], UInt32)] = [
        (Array("123456789".utf8), 0xe306_9283),
        ([], 0),
        ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
        ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
        (Array(0..<32), 0x46dd_794e),
        (Array((0..<32).reversed()), 0x113f_db5c),
        (
            hexadecimal(
                """
                01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018
                28000000 00000000 02000000 00000000
                """), 0xd996_3a56
        ),
    ]

    @Test(arguments: answers)
    func knownAnswers(_ row: ([UInt8], UInt32)) {
        HeapPacket.with(row.0) { #expect(CRC32c.checksum($0) == row.1) }
        #expect(ReferenceChecksum.crc32c(row.0) == row.1)
    }

    @Test func piecesAndZerosAddUp() {
        var random = SeededRandom(seed: 3720)
        for length in 0..<100 {
            let packet = random.bytes(length)
            let cut = Int.random(in: 0...length, using: &random)
            let zeros = Int.random(in: 0...9, using: &random)
            HeapPacket.with(packet) { bytes in
                var crc = CRC32c()
                crc.update(bytes.prefix(cut))
                crc.updateZeros(zeros)
                crc.update(bytes.dropping(cut))
                let all = packet[..<cut] + [UInt8](repeating: 0, count: zeros) + packet[cut...]
                #expect(crc.value == ReferenceChecksum.crc32c(Array(all)), "length \(length)")
            }
        }
    }
}
