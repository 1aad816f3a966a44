import Testing
import Wire

@testable import PacketIO

@Suite struct OffloadFactsTests {
    /// flags 1 | TCPv4 with ECN | header length 66 | segment size 1448 | checksum start 34 | offset 16.
    private static let header: [UInt8] = [1, 0x81, 66, 0, 0xa8, 5, 34, 0, 16, 0]

    @Test func aSuperFrameIsRead() {
        let facts = Self.header.withUnsafeBytes { OffloadFacts(virtioHeader: $0.baseAddress!) }
        #expect(facts.needsChecksum)
        #expect(!facts.isChecksumValid)
        #expect(facts.segmentation == OffloadFacts.Segmentation.tcpv4 | OffloadFacts.Segmentation.ecn)
        #expect(facts.headerLength == 66)
        #expect(facts.segmentSize == 1448)
        #expect(facts.checksumStart == 34)
        #expect(facts.checksumOffset == 16)
    }

    @Test func whatIsWrittenIsWhatWasRead() {
        let facts = Self.header.withUnsafeBytes { OffloadFacts(virtioHeader: $0.baseAddress!) }
        var written = [UInt8](repeating: 0xee, count: 11)
        written.withUnsafeMutableBytes { facts.writeVirtioHeader(to: $0.baseAddress!) }
        #expect(written == Self.header + [0xee])
    }

    @Test func aValidChecksumIsNotPassedOn() {
        var facts = OffloadFacts()
        facts.isChecksumValid = true
        var written = [UInt8](repeating: 0xee, count: 10)
        written.withUnsafeMutableBytes { facts.writeVirtioHeader(to: $0.baseAddress!) }
        #expect(written == [UInt8](repeating: 0, count: 10))
        #expect(
            [UInt8]([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]).withUnsafeBytes {
                OffloadFacts(virtioHeader: $0.baseAddress!).isChecksumValid
            })
    }
}
