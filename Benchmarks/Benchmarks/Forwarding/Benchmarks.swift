import Balancer
import Benchmark
import Wire

/// A datagram of 64 bytes, the entry it belongs to, and room to forward copies of it.
private struct Request {
    private static let length = 64
    private let memory = ConnectionTableMemory(size: TableSize(entries: 64), secret: HashSecret(1, 2))
    private let original = UnsafeMutableRawPointer.allocate(byteCount: Request.length, alignment: 64)
    private let buffer = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 64)
    let entry: ConnectionEntry
    let packet: PlainPacket

    init?(_ method: ForwardingMethod) {
        let client = DestinationKey(address: IPAddress(v4: 0xc613_0001), port: 40_000)
        let virtual = DestinationKey(address: IPAddress(v4: 0xc612_0a50), port: 53)
        let made = memory.table.make(
            EntryFields(
                kind: .none, transportProtocol: IPProtocol.udp, method: method, client: client, virtual: virtual,
                destination: DestinationKey(address: IPAddress(v4: 0xc612_020b), port: 5353), destinationSlot: 0,
                serviceSlot: 0, state: 0, flags: .none),
            worker: 0, now: 0)
        let frame = PacketBytes(original, count: Self.length)
        frame.zero(0, Self.length)
        EthernetHeader(unchecked: frame).type = EtherType.ipv4
        IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).emit(
            typeOfService: 0, totalLength: Self.length - EthernetHeader.length, identification: 1, fragmentWord: 0,
            timeToLive: 64, transportProtocol: IPProtocol.udp, source: client.address, destination: virtual.address)
        let transport = frame.dropping(PlainPacket.transportOffset)
        transport.store(client.port, 0)
        transport.store(virtual.port, 2)
        transport.store(UInt16(Self.length - PlainPacket.transportOffset), 4)
        TransportChecksum.fill(
            transport, at: UDPHeader.checksumOffset, source: client.address, destination: virtual.address,
            transportProtocol: IPProtocol.udp)
        guard let made, let packet = PlainPacket(plainV4: frame) else { return nil }
        made.bind(
            FullNATBinding(local: LocalEndpoint(address: IPAddress(v4: 0xc612_02c8), port: 2000)))
        entry = made
        self.packet = packet
    }

    /// A fresh copy, with headroom for an outer header.
    @inline(__always)
    func copy() -> PacketBytes {
        (buffer + Frame.headroom).copyMemory(from: original, byteCount: Self.length)
        return PacketBytes(buffer + Frame.headroom, count: Self.length)
    }

    /// The copy with `count` bytes before it.
    @inline(__always)
    func prepended(_ count: Int) -> PacketBytes {
        PacketBytes(buffer + Frame.headroom - count, count: Self.length + count)
    }

    func deallocate() {
        original.deallocate()
        buffer.deallocate()
    }
}

/// Give a frame the MAC addresses of its way.
@inline(__always)
private func address(_ frame: PacketBytes) {
    let header = EthernetHeader(unchecked: frame)
    header.destination = MACAddress(bits: 0x0200_0000_020b)
    header.source = MACAddress(bits: 0x0200_0000_0201)
}

/// What each forwarding method does to a request, after a copy of the frame that each iteration begins with: `copy` is that
/// alone, the floor.
let benchmarks: @Sendable () -> Void = {
    let configuration = Benchmark.Configuration(
        metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(2),
        thresholds: [.wallClock: .init(relative: [.p50: 30])])
    func measure(
        _ name: String, _ method: ForwardingMethod, _ forward: @escaping @Sendable (Request, PacketBytes) -> Void
    ) {
        Benchmark(name, configuration: configuration) { benchmark in
            guard let request = Request(method) else { return benchmark.error("no request") }
            defer { request.deallocate() }
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                let frame = request.copy()
                forward(request, frame)
                blackHole(frame[0])
            }
            benchmark.stopMeasurement()
        }
    }

    measure("copy", .directRouting) { _, _ in }
    measure("NAT", .masquerading) { request, frame in
        Masquerading.forward(frame, request.packet, request.entry, .complete, isRequest: true)
        address(frame)
    }
    measure("FULLNAT", .fullNAT) { request, frame in
        FullNAT.forward(frame, request.packet, request.entry, .complete, isRequest: true, shift: 0)
        address(frame)
    }
    measure("direct routing", .directRouting) { _, frame in
        IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).decrementTimeToLive()
        address(frame)
    }
    measure("IPIP", .tunneling) { request, frame in
        IPv4Header(unchecked: frame.dropping(EthernetHeader.length)).decrementTimeToLive()
        let header = TunnelHeader(
            options: TunnelOptions(), source: IPAddress(v4: 0xc612_0201), destination: IPAddress(v4: 0xc612_020b),
            sourcePort: 0, identification: 1, copiesDontFragment: false)
        let whole = request.prepended(IPv4Header.minimumLength)
        Tunneling.write(whole.dropping(EthernetHeader.length), header, remote: nil)
        address(whole)
    }
}
