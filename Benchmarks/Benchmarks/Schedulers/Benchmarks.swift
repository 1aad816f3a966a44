import Balancer
import Benchmark
import Wire

/// One pick of each scheduler among ten destinations.
let benchmarks: @Sendable () -> Void = {
    for kind in SchedulerKind.allCases {
        Benchmark(
            "pick \(kind.name)",
            configuration: .init(
                metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(2),
                thresholds: [.wallClock: .init(relative: [.p50: 30])])
        ) { benchmark in
            let engine = Engine(EngineConfiguration(entries: 1024, secret: HashSecret(1, 2)))
            let virtual = IPAddress(v4: 0xc612_0a50)
            let key = ServiceKey.address(transportProtocol: IPProtocol.tcp, address: virtual, port: 80)
            try engine.addService(VirtualService(key: key, scheduler: kind))
            for number in 0..<10 {
                try engine.addDestination(
                    Destination(key: DestinationKey(address: IPAddress(v4: 0xc612_0201 + UInt32(number)), port: 80)),
                    to: key)
            }
            guard
                let service = engine.serviceTable.find(
                    transportProtocol: IPProtocol.tcp, address: virtual, port: 80, mark: 0)
            else { return benchmark.error("the service was not found") }
            let slots = engine.slots
            var client: UInt32 = 0xc613_0000
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                client &+= 1
                let request = ScheduleRequest(
                    client: IPAddress(v4: client), clientPort: 10_000, virtual: virtual, now: 0,
                    random: UInt64(client) &* 0x9e37_79b9_7f4a_7c15)
                blackHole(service.record.scheduler.schedule(service, request, slots))
            }
            benchmark.stopMeasurement()
        }
    }
}
