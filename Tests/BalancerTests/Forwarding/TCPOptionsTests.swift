import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct TCPOptionsTests {
    /// The options after `change`, and whether the difference it returned is that of their sums.
    private static func after(_ options: [UInt8], _ change: (PacketBytes) -> UInt64) -> (bytes: [UInt8], isRight: Bool)
    {
        let heap = HeapPacket(options)
        return withExtendedLifetime(heap) {
            let before = Checksum.sum(heap.bytes)
            let difference = change(heap.bytes)
            let wanted = Checksum.fold(Checksum.sum(heap.bytes))
            let got = Checksum.fold(Checksum.add(before, difference))
            #expect(heap.isIntactAround)
            return (heap.array, got % 0xffff == wanted % 0xffff)
        }
    }

    private static let timestamps: [UInt8] = [8, 10, 1, 2, 3, 4, 5, 6, 7, 8]

    @Test func removingLeavesBytesThatMeanNothing() {
        let nops = [UInt8](repeating: 1, count: 10)
        for (before, wanted) in [
            ([1, 1] + Self.timestamps, [1, 1] + nops), ([2, 4, 5, 180] + Self.timestamps, [2, 4, 5, 180] + nops),
            ([4, 2, 3, 3, 7] + Self.timestamps + [1], [4, 2, 3, 3, 7] + nops + [1]),
            // Behind the end, after a broken option, and cut off: left.
            ([0, 1] + Self.timestamps, [0, 1] + Self.timestamps),
            ([3, 0] + Self.timestamps, [3, 0] + Self.timestamps), ([8, 10, 1, 2], [8, 10, 1, 2]), ([8], [8]),
        ] {
            let result = Self.after(before) { TCPOptions.remove(TCPOptions.timestamps, from: $0) }
            #expect(result.bytes == wanted && result.isRight)
        }
    }

    @Test func theSegmentSizeIsOnlyLowered() {
        for (old, most, new) in [(UInt16(1460), 1440, UInt16(1440)), (1200, 1440, 1200), (1460, -3, 0)] {
            let result = Self.after([1, 2, 4] + old.networkBytes + [1, 1, 1]) {
                TCPOptions.limitSegmentSize($0, to: most)
            }
            #expect(result.bytes == [1, 2, 4] + new.networkBytes + [1, 1, 1] && result.isRight)
        }
        let lowered = Self.after([2, 4] + UInt16(1460).networkBytes) { TCPOptions.lowerSegmentSize($0, by: 20) }
        #expect(lowered.bytes == [2, 4] + UInt16(1440).networkBytes && lowered.isRight)
        let none = Self.after([1, 1, 4, 2]) { TCPOptions.lowerSegmentSize($0, by: 20) }
        #expect(none.bytes == [1, 1, 4, 2] && none.isRight)
    }

    /// One to four blocks, at even and odd places; a length that is no number of blocks is left.
    @Test func blocksAreMapped() {
        let mapping = SequenceMapping(offset: 1000)
        for count in 1...4 {
            for padding in 0...1 {
                let edges = (0..<UInt32(2 * count)).map { 5000 + 70 * $0 }
                let before =
                    [UInt8](repeating: 1, count: padding) + [5, UInt8(2 + 8 * count)] + edges.flatMap(\.networkBytes)
                let wanted =
                    [UInt8](repeating: 1, count: padding) + [5, UInt8(2 + 8 * count)]
                    + edges.flatMap { ($0 - 1000).networkBytes }
                let result = Self.after(before) { TCPOptions.mapBlocks($0, mapping) }
                #expect(result.bytes == wanted && result.isRight)
            }
        }
        let odd: [UInt8] = [5, 6, 1, 2, 3, 4]
        #expect(Self.after(odd) { TCPOptions.mapBlocks($0, mapping) }.bytes == odd)
    }

    /// No option list leads out of the options, and every difference is right.
    @Test func arbitraryOptions() {
        var random = SeededRandom(seed: 254)
        for _ in 0..<3000 {
            let options = (0..<Int.random(in: 0...10, using: &random)).flatMap { _ in
                random.pick([[1], [2, 4], [5, 10], [5, 18], [8, 10], [34, 2], [0], [UInt8(random.next() & 0xff)]])
                    + random.bytes(Int.random(in: 0...4, using: &random))
            }
            let bytes = Array(options.prefix(40))
            for kind in [TCPOptions.timestamps, TCPOptions.fastOpen] {
                #expect(Self.after(bytes) { TCPOptions.remove(kind, from: $0) }.isRight)
            }
            #expect(Self.after(bytes) { TCPOptions.lowerSegmentSize($0, by: 8) }.isRight)
            let mapping = SequenceMapping(offset: 9, first: 5, pending: 28)
            #expect(Self.after(bytes) { TCPOptions.mapBlocks($0, mapping) }.isRight)
        }
    }
}
