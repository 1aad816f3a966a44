import Testing

@testable import Balancer

/// What docs/connection-table.md says of sizes.
@Suite struct TableLayoutTests {
    @Test func linesAndEntriesFillCacheLines() {
        #expect(MemoryLayout<TableLine>.stride == 64)
        #expect(MemoryLayout<HotEntry>.stride == 64)
        #expect(MemoryLayout<ColdEntry>.stride == 32)
        #expect(MemoryLayout<WideEntry>.stride == 64)
        #expect(MemoryLayout<EpochLine>.stride == 64)
        #expect(MemoryLayout<InboxLine>.stride == 64)
    }

    @Test(arguments: [1 << 14, 1 << 18, 1 << 20, 10_000_000])
    func anIPv4ConnectionTakesLessThan128Bytes(entries: Int) {
        let size = TableSize(entries: entries, workers: 4)
        let lines = (size.homeLines + size.overflowLines) * 64
        #expect(lines + entries * 96 <= entries * 128)
    }

    @Test func theBlockIsNoLarger() {
        let memory = ConnectionTableMemory(size: TableSize(entries: 1 << 16, workers: 4), secret: HashSecret(1, 2))
        #expect(memory.bytes <= 128 << 16)
    }

    @Test func sizesHaveFloors() {
        #expect(TableSize(entries: 0, workers: 0) == TableSize(entries: 64, workers: 1))
        #expect(TableSize(entries: 64, workers: 1000).workers == 255)
        #expect(TableSize(entries: 64).overflowLines == 16)
    }
}
