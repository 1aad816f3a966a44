import Balancer
import TestSupport
import Wire

@testable import Dataplane

/// A director with the recordings' bed around it: `eth0` (interface 0) towards the clients behind a gateway, `eth1`
/// (interface 1) towards the servers 10.0.2.11 to 16. The virtual addresses are nobody's but the director's, unless
/// `hostOwnsVirtual`.
final class TestDirector {
    /// A frame that left.
    struct Sent: Equatable {
        var interface: Int
        var bytes: [UInt8]
        var offload: OffloadFacts
    }

    static let gateway = MACAddress(bits: 0x0200_0000_01fe)
    static let eth0 = MACAddress(bits: 0x0200_0000_0101)
    static let eth1 = MACAddress(bits: 0x0200_0000_0201)
    static let client: Endpoint = "198.51.100.1:40000"
    static let virtual: Endpoint = "203.0.113.80:80"
    static let clientV6: Endpoint = "[2001:db8:ffff::1]:40000"
    static let virtualV6: Endpoint = "[2001:db8:80::80]:80"

    let engine: Engine
    let counters = EndCounters()
    var director: Director
    private(set) var snapshot: RoutingSnapshot
    private var builder: RoutingBuilder
    private(set) var milliseconds: UInt64 = 0

    init(
        hostOwnsVirtual: Bool = false, entries: Int = 4096, serverMTU: Int = 1500, sendsRedirects: Bool = false,
        routes: [String] = [], seed: UInt64 = 7, ownsAddresses: Bool = true
    ) throws {
        let virtual = hostOwnsVirtual ? ["203.0.113.80/32", "2001:db8:80::80/128"] : []
        let interfaces = [
            NetworkInterface(
                slot: 0, name: "eth0", mac: Self.eth0,
                addresses: (["192.0.2.1/24", "2001:db8:1::1/64"] + virtual).compactMap { InterfaceAddress($0) },
                sendsRedirects: sendsRedirects),
            NetworkInterface(
                slot: 1, name: "eth1", mac: Self.eth1, mtu: serverMTU,
                addresses: ["10.0.2.1/24", "2001:db8:2::1/64"].compactMap { InterfaceAddress($0) },
                sendsRedirects: sendsRedirects),
        ]
        var neighbors: [Neighbor] = []
        var known = [(0, "192.0.2.254", Self.gateway), (0, "2001:db8:1::fe", Self.gateway)]
        for number in 11...16 {
            known += [(1, "10.0.2.\(number)", Self.server(number)), (1, "2001:db8:2::\(number)", Self.server(number))]
        }
        for (interface, text, mac) in known {
            if let address = IPAddress(text) {
                neighbors.append(Neighbor(interface: interface, address: address, mac: mac))
            }
        }
        builder = try RoutingBuilder(
            interfaces: interfaces, routeTexts: ["default via 192.0.2.254", "default via 2001:db8:1::fe"] + routes,
            neighbors: neighbors)
        snapshot = builder.build()
        engine = Engine(
            EngineConfiguration(
                entries: entries, services: 64, destinations: 64, secret: HashSecret(1, 2),
                ownsAddresses: ownsAddresses))
        director = Director(
            engine: engine, worker: 0, routing: snapshot.view, now: 0, seed: seed, counters: counters)
        director.resume()
    }

    /// The MAC of server 11 to 16.
    static func server(_ number: Int) -> MACAddress { MACAddress(bits: 0x0200_0000_0200 | UInt64(number)) }

    // MARK: Rules

    /// What a service is known by.
    static func key(_ virtual: Endpoint, _ transportProtocol: UInt8) -> ServiceKey {
        .address(transportProtocol: transportProtocol, address: virtual.address, port: virtual.port)
    }

    /// A service, round robin unless said otherwise, with NAT servers unless said otherwise.
    func serve(
        _ virtual: Endpoint = TestDirector.virtual, _ transportProtocol: UInt8 = IPProtocol.tcp,
        _ servers: [Endpoint] = ["10.0.2.11:80"], method: ForwardingMethod = .masquerading,
        persistence: Persistence? = nil, isOnePacket: Bool = false
    ) throws {
        let key = Self.key(virtual, transportProtocol)
        try engine.addService(
            VirtualService(key: key, scheduler: .rr, persistence: persistence, isOnePacket: isOnePacket))
        for server in servers { try add(server, to: key, method: method) }
    }

    func add(_ server: Endpoint, to key: ServiceKey, method: ForwardingMethod = .masquerading, weight: Int32 = 1) throws
    {
        let destination = DestinationKey(address: server.address, port: server.port)
        try engine.addDestination(Destination(key: destination, method: method, weight: weight), to: key)
    }

    // MARK: Frames and time

    /// A frame comes in; who does not answer or forward for the host leaves the director's passed frames alone.
    func receive(
        _ bytes: [UInt8], interface: Int = 0, offload: OffloadFacts = OffloadFacts(), asHost forwards: Bool? = nil
    ) -> [Sent] {
        let heap = HeapPacket(bytes)
        return withExtendedLifetime(heap) { receive(heap, interface: interface, offload: offload, asHost: forwards) }
    }

    func receive(
        _ heap: HeapPacket, interface: Int = 0, offload: OffloadFacts = OffloadFacts(), asHost forwards: Bool? = nil
    ) -> [Sent] {
        var frame = heap.frame(interface: interface, offload: offload)
        begin()
        withUnsafeMutablePointer(to: &frame) { pointer in
            _ = director.process(UnsafeMutableBufferPointer(start: pointer, count: 1))
        }
        if let forwards {
            for place in 0..<director.outbox.passedCount {
                var passed = director.outbox.passing[place]
                director.actAsHost(&passed, forwards: forwards)
            }
        }
        return collect()
    }

    /// What has to be sent, which is taken out of the outbox.
    func collect() -> [Sent] {
        let sent = director.outbox.sending.map {
            Sent(interface: $0.interface, bytes: $0.bytes.array(), offload: $0.offload)
        }
        director.outbox.empty()
        return sent
    }

    func begin() {
        while director.begin(now: Tick(milliseconds / Ticks.milliseconds), routing: snapshot.view) {}
    }

    /// Let time pass.
    /// - Returns: what was sent meanwhile.
    func advance(seconds: Double) -> [Sent] {
        let end = milliseconds + UInt64(seconds * 1000)
        var sent: [Sent] = []
        while milliseconds < end {
            milliseconds = min(end, milliseconds + 100)
            engine.advance(milliseconds: milliseconds)
            begin()
            sent += collect()
        }
        return sent
    }

    /// Have a neighbour known, or in another state.
    func learn(_ interface: Int, _ address: IPAddress, _ mac: MACAddress, _ state: NeighborState = .reachable) {
        builder.neighbors.removeAll { $0.interface == interface && $0.address == address }
        builder.neighbors.append(Neighbor(interface: interface, address: address, mac: mac, state: state))
        snapshot = builder.build()
    }

    /// Have the host without the virtual addresses of `hostOwnsVirtual`.
    func releaseVirtual() {
        let virtual = [Self.virtual.address, Self.virtualV6.address]
        builder.interfaces[0].addresses.removeAll { virtual.contains($0.address) }
        builder.routes.removeAll { $0.kind == .local && virtual.contains($0.destination) }
        snapshot = builder.build()
    }

    /// Mark packets by one more rule. False when there is no room.
    func mark(_ rule: MarkRule) -> Bool { (try? engine.addMark(rule)) != nil }

    // MARK: What came of it

    /// Packets that wait for a next hop, those that the director made itself included.
    var queued: Int { director.neighborQueue.count }
    /// The neighbours that they wait for.
    var wanted: [NeighborQueue.Want] { director.neighborQueue.wanted() }

    /// Frames that ended so, and the sum of all ends and waiting frames against those received.
    var isAccountedFor: Bool {
        let ends = FrameEnd.allCases.reduce(0) { $0 &+ counters.total($1) }
        let drops = DropReason.allCases.reduce(0) { $0 &+ counters.total($1) }
        return ends &+ counters.waiting == counters.received && drops == counters.total(.drop)
    }

    /// Entries in the table, templates included.
    var entries: [ConnectionEntry] {
        var list: [ConnectionEntry] = []
        engine.forEachEntry { list.append($0) }
        return list
    }

    /// A client's segment to the virtual service.
    static func request(_ flags: TCPFlags, port: UInt16 = 40000, to virtual: Endpoint = virtual) -> PacketBuilder {
        var client = virtual.address.isV4 ? Self.client : Self.clientV6
        client.port = port
        return .tcp(from: client, to: virtual, flags)
    }

    /// A server's segment to the client.
    static func reply(
        _ flags: TCPFlags, from server: Endpoint = "10.0.2.11:80", to client: Endpoint = client
    ) -> PacketBuilder {
        PacketBuilder.tcp(from: server, to: client, flags)
            .setting(\.sourceMAC, Self.server(11)).setting(\.destinationMAC, Self.eth1)
    }
}
