import Testing

@testable import Balancer

@Suite struct PrefixRangesTests {
    @Test func nestedPrefixesCutRanges() {
        let ranges = FlatRanges<UInt8>(
            [
                Prefix(first: 0x40, length: 2, record: 1), Prefix(first: 0x50, length: 4, record: 2),
                Prefix(first: 0x5f, length: 8, record: 3), Prefix(first: 0xff, length: 8, record: 4),
            ], missing: 0)
        #expect(ranges.starts == [0, 0x40, 0x50, 0x5f, 0x60, 0x80, 0xff])
        #expect(ranges.records == [0, 1, 2, 3, 1, 0, 4])
    }

    @Test func theFirstOfEqualPrefixesCounts() {
        let ranges = FlatRanges<UInt8>(
            [Prefix(first: 0, length: 0, record: 7), Prefix(first: 0, length: 0, record: 8)], missing: 0)
        #expect(ranges.starts == [0])
        #expect(ranges.records == [7])
    }

    @Test func theIndexNamesTheLastRangeAtOrBefore() {
        let ranges = FlatRanges<UInt8>(
            [Prefix(first: 0x40, length: 2, record: 1), Prefix(first: 0x50, length: 4, record: 2)], missing: 0)
        #expect(ranges.starts == [0, 0x40, 0x50, 0x60, 0x80])
        #expect(ranges.indexBits == 3)
        #expect(ranges.index == [0, 0, 1, 3, 4, 4, 4, 4, 4])
    }

    @Test func noPrefixesMakeOneRange() {
        let ranges = FlatRanges<UInt8>([], missing: 9)
        #expect(ranges.starts == [0] && ranges.records == [9])
        #expect(ranges.indexBits == 1 && ranges.index == [0, 0, 0])
    }
}
