import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

/// A director in the recordings' bed: `eth0` (slot 0) towards the clients, `eth1` (slot 1) towards the servers, all
/// neighbours known but those under 10.0.2.99 and 10.0.9.0/24's router where the test wants that.
final class DirectorBed {
    /// A frame that left.
    struct Sent: Equatable {
        var interface: Int
        var bytes: [UInt8]
        var isSuperFrame: Bool
        var needsChecksum: Bool
    }

    static let router = MACAddress(bits: 0x0200_0000_02fe)
    static let gateway = MACAddress(bits: 0x0200_0000_01fe)
    static let eth0 = MACAddress(bits: 0x0200_0000_0101)
    static let eth1 = MACAddress(bits: 0x0200_0000_0201)

    let engine: Engine
    let counters = EndCounters()
    private(set) var director: Director
    private var routing: RoutingSnapshot
    private var milliseconds: UInt64 = 0
    /// Frames left to the host by the last `receive`.
    private(set) var passed: [[UInt8]] = []

    init(mtu: Int = 1500, serverMTU: Int = 1500, isRouterKnown: Bool = true) throws {
        func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }
        let interfaces = [
            NetworkInterface(
                slot: 0, name: "eth0", mac: Self.eth0, mtu: mtu,
                addresses: try ["192.0.2.1/24", "203.0.113.80/32", "2001:db8:1::1/64", "2001:db8:80::80/128"].map(
                    address),
                sendsRedirects: false),
            NetworkInterface(
                slot: 1, name: "eth1", mac: Self.eth1, mtu: serverMTU,
                addresses: try ["10.0.2.1/24", "2001:db8:2::1/64"].map(address), sendsRedirects: false),
        ]
        var neighbors: [Neighbor] = []
        func know(_ interface: Int, _ text: String, _ mac: MACAddress) throws {
            neighbors.append(Neighbor(interface: interface, address: try #require(IPAddress(text)), mac: mac))
        }
        try know(0, "192.0.2.254", Self.gateway)
        try know(0, "2001:db8:1::fe", Self.gateway)
        if isRouterKnown {
            try know(1, "10.0.2.254", Self.router)
            try know(1, "2001:db8:2::fe", Self.router)
        }
        for number in 11...16 {
            let mac = MACAddress(bits: 0x0200_0000_0200 | UInt64(number))
            try know(1, "10.0.2.\(number)", mac)
            try know(1, "2001:db8:2::\(number)", mac)
        }
        let builder = try RoutingBuilder(
            interfaces: interfaces,
            routeTexts: [
                "default via 192.0.2.254", "10.0.9.0/24 via 10.0.2.254", "default via 2001:db8:1::fe",
                "2001:db8:9::/64 via 2001:db8:2::fe",
            ], neighbors: neighbors)
        routing = builder.build()
        engine = Engine(EngineConfiguration(entries: 1 << 12, services: 64, destinations: 64, secret: HashSecret(1, 2)))
        director = Director(
            engine: engine, worker: 0, routing: routing.view, now: 0, seed: 1, counters: counters)
        director.isWholeHost = true
        director.resume()
    }

    /// A round-robin service with one destination.
    func serve(
        _ virtual: Endpoint, _ transportProtocol: UInt8, at server: Endpoint, _ method: ForwardingMethod,
        tunnel: TunnelOptions = TunnelOptions(), carrier: ClientAddressCarrier = .none
    ) throws {
        let key = ServiceKey.address(
            transportProtocol: transportProtocol, address: virtual.address, port: virtual.port)
        var service = VirtualService(key: key, scheduler: .rr)
        service.clientAddress = carrier
        try engine.addService(service)
        if method == .fullNAT {
            let local: Endpoint = server.address.isV4 ? "10.0.2.200" : "[2001:db8:2::200]:0"
            try engine.addLocalAddress(local.address, to: key)
        }
        try engine.addDestination(
            Destination(
                key: DestinationKey(address: server.address, port: server.port), method: method, tunnel: tunnel),
            to: key)
    }

    /// Change how a service's destination is reached.
    func change(
        _ virtual: Endpoint, _ transportProtocol: UInt8, at server: Endpoint, _ method: ForwardingMethod,
        tunnel: TunnelOptions
    ) throws {
        try engine.editDestination(
            Destination(
                key: DestinationKey(address: server.address, port: server.port), method: method, tunnel: tunnel),
            of: .address(transportProtocol: transportProtocol, address: virtual.address, port: virtual.port))
    }

    /// Let time pass.
    /// - Returns: what left meanwhile.
    @discardableResult
    func advance(seconds: Double) -> [Sent] {
        let end = milliseconds + UInt64(seconds * 1000)
        var sent: [Sent] = []
        while milliseconds < end {
            milliseconds = min(end, milliseconds + 500)
            engine.advance(milliseconds: milliseconds)
            while director.begin(now: Tick(milliseconds / Ticks.milliseconds), routing: routing.view) {}
            sent += collect()
        }
        return sent
    }

    /// Make the router towards the tunnel servers known.
    func learnRouter() {
        let known = ["10.0.2.254", "2001:db8:2::fe"].compactMap { IPAddress($0) }
            .map { Neighbor(interface: 1, address: $0, mac: Self.router) }
        let gateway = ["192.0.2.254", "2001:db8:1::fe"].compactMap { IPAddress($0) }
            .map { Neighbor(interface: 0, address: $0, mac: Self.gateway) }
        routing = routing.replacing(neighbors: NeighborTable(known + gateway))
    }

    /// Do something with the director.
    func withDirector<Result>(_ body: (inout Director) -> Result) -> Result { body(&director) }

    /// A frame comes in.
    /// - Returns: what left.
    @discardableResult
    func receive(
        _ bytes: [UInt8], interface: Int = 0, offload: OffloadFacts = OffloadFacts(), actsAsHost: Bool = false
    ) -> [Sent] {
        let heap = HeapPacket(bytes)
        return withExtendedLifetime(heap) {
            receive(heap.frame(interface: interface, offload: offload), actsAsHost: actsAsHost)
        }
    }

    /// A frame comes in, whose memory the caller keeps.
    /// - Returns: what left.
    private func receive(_ frame: Frame, actsAsHost: Bool) -> [Sent] {
        process(frame, actsAsHost: actsAsHost)
        return collect()
    }

    /// A frame comes in, whose memory the caller keeps; what leaves is not looked at.
    func handle(_ frame: Frame, actsAsHost: Bool) {
        process(frame, actsAsHost: actsAsHost)
        director.outbox.empty()
    }

    private func process(_ received: Frame, actsAsHost: Bool) {
        var frame = received
        _ = director.begin(now: Tick(milliseconds / Ticks.milliseconds), routing: routing.view)
        withUnsafeMutablePointer(to: &frame) { pointer in
            _ = director.process(UnsafeMutableBufferPointer(start: pointer, count: 1))
        }
        passed = director.outbox.passing.map { $0.bytes.array() }
        if actsAsHost {
            for place in 0..<director.outbox.passedCount {
                var frame = director.outbox.passing[place]
                director.actAsHost(&frame, forwards: true)
            }
        }
    }

    private func collect() -> [Sent] {
        let sent = director.outbox.sending.map {
            Sent(
                interface: $0.interface, bytes: $0.bytes.array(), isSuperFrame: $0.offload.isSuperFrame,
                needsChecksum: $0.offload.needsChecksum)
        }
        director.outbox.empty()
        return sent
    }

    /// Whether every received frame has ended once, or waits.
    var isAccountedFor: Bool {
        let ends = FrameEnd.allCases.reduce(0) { $0 &+ counters.total($1) }
        return ends &+ counters.waiting == counters.received
    }
}
