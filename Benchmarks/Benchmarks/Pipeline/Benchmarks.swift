import Benchmark
import Traffic

/// The director on established connections, in batches of 64 frames, beside the floor: the copy of the frames alone,
/// which every other row has in it too. Throughput counts frames.
let benchmarks: @Sendable () -> Void = {
    for path in TrafficPath.allCases {
        for flows in [1000, 10_000, 100_000, 1_000_000, 10_000_000] {
            Benchmark(
                "\(path.rawValue) \(flows) flows",
                configuration: .init(
                    metrics: [.wallClock, .throughput], scalingFactor: .one, maxDuration: .seconds(5),
                    thresholds: [.wallClock: .init(relative: [.p50: 30])])
            ) { benchmark in
                let traffic = try Traffic(path, .udp, flows: flows)
                // The first round makes the caches warm.
                traffic.run(batches: 1024)
                benchmark.startMeasurement()
                for _ in benchmark.scaledIterations { traffic.run(batches: 1024) }
                benchmark.stopMeasurement()
            }
        }
    }
}
