import Balancer
import Benchmark
import Wire

/// A table with entries of `count` clients, and keys to find them in no order.
private struct FilledTable {
    let memory: ConnectionTableMemory
    let count: Int

    init(_ count: Int) {
        self.count = count
        memory = ConnectionTableMemory(size: TableSize(entries: count + 64), secret: HashSecret(1, 2))
        for client in 0..<count {
            guard let entry = make(client) else { break }
            _ = memory.table.insert(entry)
        }
    }

    func make(_ client: Int) -> ConnectionEntry? {
        let key = key(client)
        return memory.table.make(
            EntryFields(
                kind: .none, transportProtocol: key.transportProtocol, method: .masquerading,
                client: DestinationKey(address: key.source, port: key.sourcePort),
                virtual: DestinationKey(address: key.destination, port: key.destinationPort),
                destination: DestinationKey(address: IPAddress(v4: 0xc612_020b), port: 80), destinationSlot: 0,
                serviceSlot: 0, state: 0, flags: .none),
            worker: 0, now: 0)
    }

    func key(_ client: Int) -> FlowKey {
        FlowKey(
            source: IPAddress(v4: 0xc613_0000 &+ UInt32(truncatingIfNeeded: client >> 14)),
            destination: IPAddress(v4: 0xc612_0a50), sourcePort: UInt16(truncatingIfNeeded: client & 0x3fff) &+ 1024,
            destinationPort: 80, transportProtocol: IPProtocol.tcp)
    }

    /// The next client of a walk that visits them in no order.
    func next(_ client: Int) -> Int { (client &* 1_103_515_245 &+ 12_345) & 0x7fff_ffff % count }
}

/// Finding, and inserting with removing, at several sizes.
let benchmarks: @Sendable () -> Void = {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(3),
        thresholds: [.wallClock: .init(relative: [.p50: 30])])

    for count in [1000, 10_000, 100_000, 1_000_000, 10_000_000] {
        Benchmark("find among \(count)", configuration: configuration) { benchmark in
            let filled = FilledTable(count)
            let table = filled.memory.table
            var client = 1
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                client = filled.next(client)
                let key = filled.key(client)
                blackHole(table.find(key, hash: table.hash(key))?.direction)
            }
            benchmark.stopMeasurement()
        }

        Benchmark("remove and insert among \(count)", configuration: configuration) { benchmark in
            let filled = FilledTable(count)
            let table = filled.memory.table
            benchmark.startMeasurement()
            for iteration in benchmark.scaledIterations {
                guard let entry = filled.make(count + iteration) else {
                    benchmark.error("no entry left")
                    break
                }
                blackHole(table.insert(entry))
                _ = table.remove(entry)
                table.recycle(entry)
            }
            benchmark.stopMeasurement()
        }
    }
}
