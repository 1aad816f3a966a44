import TestSupport
import Testing
import Wire

@Suite struct SCTPTests {
    @Test func kernelPacketIsRead() throws {
        try HeapPacket.with(Array(KernelFrames.sctpForwarded.packet.dropFirst(20))) { bytes in
            let header = try #require(SCTPHeader(bytes))
            #expect(header.sourcePort == 40000 && header.destinationPort == 80 && header.verificationTag == 0)
            #expect(header.firstChunkType == SCTPChunk.initiation && header.payload.count == 20)
            #expect(header.checksum == 0x917f_a057 && header.hasValidChecksum)
        }
    }

    @Test func changesAreSeenAndRepaired() throws {
        let segment = Array(KernelFrames.sctpForwarded.packet.dropFirst(20))
        let changed = try HeapPacket.changing(segment) { bytes in
            let header = try #require(SCTPHeader(bytes))
            header.sourcePort = 1
            header.destinationPort = 2
            header.verificationTag = 3
            #expect(!header.hasValidChecksum)
            header.fillChecksum()
            #expect(header.hasValidChecksum)
        }
        #expect(Array(changed[..<8]) == [0, 1, 0, 2, 0, 0, 0, 3])
        let crc = ReferenceChecksum.crc32c(changed[..<8] + [0, 0, 0, 0] + changed[12...])
        #expect(Array(changed[8..<12]) == crc.networkBytes.reversed())
        #expect(changed[12...] == segment[12...])
    }

    @Test func theFirstChunkNeedsItsHeader() {
        for length in 12..<16 {
            HeapPacket.with([UInt8](repeating: 1, count: length)) { bytes in
                #expect(SCTPHeader(bytes) != nil && SCTPHeader(bytes)?.firstChunkType == nil)
            }
        }
        HeapPacket.with([UInt8](repeating: 7, count: 16)) { #expect(SCTPHeader($0)?.firstChunkType == 7) }
    }

    @Test(arguments: 0..<12) func shortPacketsAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(SCTPHeader($0) == nil) }
    }
}
