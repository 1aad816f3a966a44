import Balancer
import Benchmark
import Wire

/// Reading a packet's headers, and checksums of the lengths that packets have.
let benchmarks: @Sendable () -> Void = {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(2),
        thresholds: [.wallClock: .init(relative: [.p50: 30])])

    Benchmark("classify IPv4 UDP", configuration: configuration) { benchmark in
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
        defer { memory.deallocate() }
        let frame = PacketBytes(memory, count: 60)
        frame.zero(0, 60)
        EthernetHeader(unchecked: frame).type = EtherType.ipv4
        IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).emit(
            typeOfService: 0, totalLength: 46, identification: 1, fragmentWord: 0, timeToLive: 64,
            transportProtocol: IPProtocol.udp, source: IPAddress(v4: 0xc613_0001),
            destination: IPAddress(v4: 0xc612_0a50))
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            var packet = PacketDescription()
            blackHole(Classify.v4(frame, at: EthernetHeader.length, into: &packet))
            blackHole(packet)
        }
        benchmark.stopMeasurement()
    }

    for length in [20, 64, 1500, 65_000] {
        Benchmark("checksum of \(length) bytes", configuration: configuration) { benchmark in
            let memory = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 64)
            defer { memory.deallocate() }
            let bytes = PacketBytes(memory, count: length)
            bytes.zero(0, length)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(Checksum.checksum(bytes)) }
            benchmark.stopMeasurement()
        }
    }
}
