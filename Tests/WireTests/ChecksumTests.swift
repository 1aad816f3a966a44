import TestSupport
import Testing
import Wire

@Suite struct ChecksumTests {
    @Test func exampleOfRFC1071() {
        // §3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
        HeapPacket.with([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]) { bytes in
            #expect(Checksum.fold(Checksum.sum(bytes)).bigEndian == 0xddf2)
            #expect(Checksum.checksum(bytes).bigEndian == ~0xddf2)
        }
    }

    @Test func exampleOfRFC1624() {
        // §4: HC = dd2f, m = 5555, m' = 3285 give HC' = 0000; equation 3 gets it right where RFC 1141 gave ffff.
        let difference = Checksum.difference(from: 0x5555 as UInt16, to: 0x3285 as UInt16)
        #expect(Checksum.adjust((0xdd2f as UInt16).bigEndian, by: difference) == 0)
    }

    @Test func foldBringsEveryCarryRound() {
        #expect(Checksum.fold(0) == 0)
        #expect(Checksum.fold(0xffff) == 0xffff)
        #expect(Checksum.fold(0x1_0000) == 1)
        #expect(Checksum.fold(.max) == 0xffff)
        #expect(Checksum.fold(0xffff_ffff_0000_0001) == 1)
        #expect(Checksum.fold(0xfffe_ffff_ffff_ffff) == 0xfffe)
    }

    @Test func addBringsTheCarryRound() {
        #expect(Checksum.add(.max, 1) == 1)
        #expect(Checksum.add(.max, .max) == .max)
        #expect(Checksum.add(1, 2) == 3)
    }

    @Test func everyLengthAgreesWithTheObviousWay() {
        var random = SeededRandom(seed: 1071)
        for length in 0..<200 {
            let packet = random.bytes(length)
            HeapPacket.with(packet) { bytes in
                #expect(Checksum.checksum(bytes).bigEndian == ReferenceChecksum.internet(packet), "length \(length)")
            }
        }
    }

    @Test func fullWordsOfOnesDoNotOverflow() {
        let packet = [UInt8](repeating: 0xff, count: 65_535)
        HeapPacket.with(packet) { #expect(Checksum.checksum($0).bigEndian == ReferenceChecksum.internet(packet)) }
    }

    @Test func pseudoHeadersOfBothFamilies() {
        var random = SeededRandom(seed: 793)
        for family in [AddressFamily.v4, .v6] {
            for _ in 0..<200 {
                let (source, destination) = (random.address(family), random.address(family))
                let (number, length) = (UInt8.random(in: 0...255, using: &random), Int.random(in: 0..<65_536))
                let sum = Checksum.pseudoHeader(source, destination, transportProtocol: number, length: length)
                let bytes = ReferenceChecksum.pseudoHeader(
                    source: source.wireBytes, destination: destination.wireBytes, transportProtocol: number,
                    length: length)
                #expect(Checksum.fold(sum).bigEndian == ReferenceChecksum.sum(bytes))
            }
        }
    }

    @Test func adjustingEqualsSummingAnew() throws {
        var random = SeededRandom(seed: 1624)
        for _ in 0..<10_000 {
            var packet = random.bytes(Int.random(in: 8...40, using: &random))
            packet[0] |= 1
            let old = ReferenceChecksum.internet(packet)
            let offset = Int.random(in: 0...(packet.count - 2) / 2, using: &random) * 2
            let (before, after) = (
                UInt16(packet[offset]) << 8 | UInt16(packet[offset + 1]), UInt16(random.next() >> 48)
            )
            packet.replaceSubrange(offset..<offset + 2, with: after.networkBytes)
            let difference = Checksum.difference(from: before, to: after)
            let adjusted = Checksum.adjust(old.bigEndian, by: difference).bigEndian
            // A partial checksum is the complement.
            let partial = Checksum.adjustPartial((~old).bigEndian, by: difference).bigEndian
            try #require(
                adjusted == ReferenceChecksum.internet(packet) && partial == ReferenceChecksum.sum(packet),
                "seed \(random.seed): \(packet)")
        }
    }
}
