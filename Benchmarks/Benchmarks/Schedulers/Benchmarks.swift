import Balancer
import Benchmark
import Wire

/// A service whose destinations have weights 1 to 4, connections spread over them.
private struct ScheduledService {
    let engine: Engine
    let virtual = IPAddress(v4: 0xc612_0a50)

    init(_ kind: SchedulerKind, destinations: Int) throws {
        engine = Engine(EngineConfiguration(entries: 1024, destinations: destinations, secret: HashSecret(1, 2)))
        let key = ServiceKey.address(transportProtocol: IPProtocol.tcp, address: virtual, port: 80)
        try engine.addService(VirtualService(key: key, scheduler: .rr))
        for number in 0..<destinations {
            try engine.addDestination(
                Destination(
                    key: DestinationKey(address: IPAddress(v4: 0x0a00_0001 + UInt32(number)), port: 80),
                    weight: Int32(number % 4) + 1), to: key)
        }
        // The scheduler last: its table is made once, not for each destination.
        try engine.editService(VirtualService(key: key, scheduler: kind))
        for number in 0..<destinations {
            for _ in 0..<(number % 7) {
                engine.slots.destination(UInt32(number)).bind(isTemplate: false, isActive: number % 2 == 0)
            }
        }
    }
}

/// One pick of each scheduler among 3, 100 and 10,000 destinations.
let benchmarks: @Sendable () -> Void = {
    for kind in SchedulerKind.allCases {
        for count in [3, 100, 10_000] {
            Benchmark(
                "pick \(kind.name) of \(count)",
                configuration: .init(
                    metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .milliseconds(500),
                    thresholds: [.wallClock: .init(relative: [.p50: 30])])
            ) { benchmark in
                let scheduled = try ScheduledService(kind, destinations: count)
                guard
                    let service = scheduled.engine.serviceTable.find(
                        transportProtocol: IPProtocol.tcp, address: scheduled.virtual, port: 80, mark: 0)
                else { return benchmark.error("the service was not found") }
                let slots = scheduled.engine.slots
                var client: UInt32 = 0xc613_0000
                benchmark.startMeasurement()
                for _ in benchmark.scaledIterations {
                    client &+= 1
                    let request = ScheduleRequest(
                        client: IPAddress(v4: client), clientPort: 10_000, virtual: scheduled.virtual, now: 0,
                        random: UInt64(client) &* 0x9e37_79b9_7f4a_7c15)
                    blackHole(service.record.scheduler.schedule(service, request, slots))
                }
                benchmark.stopMeasurement()
            }
        }
    }
}
