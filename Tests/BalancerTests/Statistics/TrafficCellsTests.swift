import Testing

@testable import Balancer

@Suite struct TrafficCellsTests {
    @Test func aCellIsACacheLine() { #expect(MemoryLayout<TrafficCell>.stride == 64) }

    @Test func rowsOfAllWorkersAreSummed() {
        let cells = TrafficCells(slots: 3, workers: 3, provider: .heap)
        for worker in 0..<3 {
            let row = cells.row(worker: worker)
            row.countConnection(1)
            row.countIn(1, bytes: 100 * (worker + 1))
            row.countOut(1, bytes: 7)
            row.countOut(2, bytes: 1)
        }
        #expect(
            cells.total(1)
                == TrafficCounters(connections: 3, inPackets: 3, outPackets: 3, inBytes: 600, outBytes: 21))
        #expect(cells.total(2) == TrafficCounters(outPackets: 3, outBytes: 3))
        #expect(cells.total(0) == TrafficCounters())
    }

    @Test func eachWorkerCountsForItself() {
        let cells = TrafficCells(slots: 1, workers: 4, provider: .heap)
        Threads.run(4) { number in
            let row = cells.row(worker: number)
            for _ in 0..<5000 { row.countIn(0, bytes: 2) }
        }
        #expect(cells.total(0) == TrafficCounters(inPackets: 20_000, inBytes: 40_000))
    }
}
