import Traffic

/// Time each batch of a run in which `due` connections end, and of one in which none does, in turn, and print
/// percentiles of each round in microseconds a batch.
func showLatency(
    _ path: TrafficPath, _ transport: TrafficTransport, flows: Int, pool: Int?, due: Int, rounds: Int
) throws {
    // As many as the due connections last, 64 a batch.
    let batches = max(due / Traffic.batch, 1000)
    for round in 0..<max(rounds, 1) {
        for count in [0, due] {
            let traffic = try Traffic(path, transport, flows: flows, pool: pool, due: count)
            var times = [UInt64](repeating: 0, count: batches)
            for batch in 0..<batches {
                let began = nanoseconds()
                traffic.run(batches: 1)
                times[batch] = nanoseconds() - began
            }
            let left = traffic.connections
            times.sort()
            func text(_ share: Double) -> String {
                let tenths = times[min(batches - 1, Int(Double(batches) * share))] / 100
                return "\(tenths / 10).\(tenths % 10)"
            }
            print(
                "round \(round + 1), \(count) due, \(batches) batches: p50 \(text(0.5)) p99 \(text(0.99))",
                "p99.9 \(text(0.999)) max \(text(1)) us a batch, \(left) connections left")
        }
    }
}
