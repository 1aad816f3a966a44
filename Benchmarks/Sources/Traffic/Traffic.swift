import Balancer
import Dataplane
import Wire

/// A director with established connections, and a pool of frames of theirs to run through it in batches of 64.
///
/// Nothing but memory: no port, no system call while it runs. The pool is walked in order, flows being spread over it at
/// random, so that frames come as cheaply as from a ring and connections in no order. Each batch is copied from the pool
/// into buffers 2 KiB apart, as a port's receive would do, since the director rewrites in place.
public final class Traffic {
    /// Frames in a batch, as the worker takes them.
    public static let batch = 64
    static let spacing = 64
    static let bufferSize = 2048
    static let smallestPool = 65_536
    /// So many that a connection of `TrafficPath.open` has ended when its frame comes again.
    static let smallestOpeningPool = 32_768

    let path: TrafficPath
    let transport: TrafficTransport
    let flows: Int
    let services: Int
    let destinations: Int
    /// Bytes of a frame.
    private let length: Int
    /// Where frames come in.
    private let interface: Int
    let engine: Engine
    let routing: RoutingSnapshot
    let counters = EndCounters()
    var director: Director
    private let pool: UnsafeMutableRawPointer
    private let poolCount: Int
    private let buffers: UnsafeMutableRawPointer
    private let frames: UnsafeMutableBufferPointer<Frame>
    private var position = 0
    private var batches: UInt32 = 0
    /// Batches in a tick, as a power of two: at a million packets a second; 16,000 where each opens a connection.
    private let batchesPerTick: UInt32
    private var folds: UInt64 = 0
    /// Ticks that were jumped over.
    private var jumped: Tick = 0

    /// What the director holds in memory, in bytes, as the kernel counts pages that are resident.
    public struct Resident: Sendable {
        /// Taken at start: table, services, destinations, routes.
        public var director = 0
        /// Taken while connections were established.
        public var connections = 0
    }
    /// As it was when the connections had been established.
    public private(set) var resident = Resident()

    /// What a real server knows of a connection, and which one it is.
    private struct Established {
        var server: UInt16 = 0
        /// Where its packets go.
        var peerPort: UInt16 = 0
        var peer: UInt32 = 0
    }

    static let port: UInt16 = 80
    static func virtual(_ service: Int) -> IPAddress { IPAddress(v4: 0xc612_0a50 + UInt32(service)) }
    /// The port of a service's real servers: the same machines serve all.
    static func serverPort(_ service: Int) -> UInt16 { port + UInt16(service) }
    static let clientSide = MACAddress(bits: 0x02_00_00_00_01_01)
    static let serverSide = MACAddress(bits: 0x02_00_00_00_02_01)
    static let client = MACAddress(bits: 0x02_00_00_00_01_02)
    static func server(_ number: Int) -> IPAddress { IPAddress(v4: 0xc612_020b + UInt32(number)) }
    /// A local address of FULLNAT.
    static func local(_ number: Int) -> IPAddress { IPAddress(v4: 0xc612_0b01 + UInt32(number)) }
    static func serverMAC(_ number: Int) -> MACAddress { MACAddress(bits: 0x02_00_00_00_02_10 + UInt64(number)) }

    /// Make the director and establish `flows` connections, in turn to each of the services.
    /// - Parameters:
    ///   - services: at most 5,000; addresses 198.18.10.80 and on.
    ///   - destinations: of each service, at most 1,000; addresses 198.18.2.11 and on.
    ///   - pool: frames in the pool, at least; it has one of each flow in any case.
    ///   - due: further connections, all of which end at the tick at which running begins.
    public init(
        _ path: TrafficPath, _ transport: TrafficTransport, flows wanted: Int, services: Int = 1,
        destinations: Int = 3, pool smallest: Int? = nil, due: Int = 0
    ) throws {
        let least = max(smallest ?? Self.smallestPool, path == .open ? Self.smallestOpeningPool : wanted)
        poolCount = (least + Self.batch - 1) / Self.batch * Self.batch
        let flows = path == .open ? poolCount : wanted
        self.path = path
        self.transport = transport
        self.flows = flows
        self.services = services
        self.destinations = destinations
        length = FrameBuilder.length(isV6: path.isV6)
        interface = path.isReply ? 1 : 0
        batchesPerTick = path == .open ? 0 : 6
        let before = residentBytes()
        routing = try Self.routing(destinations, isV6: path.isV6)
        engine = Engine(
            EngineConfiguration(
                entries: max(1 << 18, (wanted + due) / 4 * 5),
                secret: HashSecret(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321),
                memory: .mapped))
        try Self.addRules(
            to: engine, transport, services, destinations, path,
            locals: path.method == .fullNAT ? (flows + due) / 50_000 + 1 : 0)
        director = Director(
            engine: engine, worker: 0, routing: routing.view, now: 0, seed: 1, counters: counters)
        resident.director = residentBytes() - before
        pool = .allocate(byteCount: poolCount * Self.spacing, alignment: 64)
        buffers = .allocate(byteCount: Self.batch * Self.bufferSize, alignment: 4096)
        buffers.initializeMemory(as: UInt8.self, repeating: 0, count: Self.batch * Self.bufferSize)
        frames = .allocate(capacity: Self.batch)
        director.resume()
        fill()
        if due > 0 { makeDue(due) }
        if path == .open { engine.settings.timeouts = Timeouts(tcp: 1, tcpFin: 1, udp: 1) }
    }

    private static func routing(_ destinations: Int, isV6: Bool) throws -> RoutingSnapshot {
        // A network of servers that holds them.
        let isWide = destinations > 200
        let network = isV6 ? "2001:db8:c6:1202::1/\(isWide ? 61 : 64)" : "198.18.2.1/\(isWide ? 21 : 24)"
        let client = isV6 ? "2001:db8:c6:1201::1/64" : "198.18.1.1/24"
        let interfaces = [
            NetworkInterface(
                slot: 0, name: "client0", mac: clientSide, addresses: [InterfaceAddress(client)].compactMap { $0 }),
            NetworkInterface(
                slot: 1, name: "servers0", mac: serverSide, addresses: [InterfaceAddress(network)].compactMap { $0 }),
        ]
        let gateway = IPAddress(v4: 0xc612_01fe).numbered(isV6: isV6)
        var neighbors = [Neighbor(interface: 0, address: gateway, mac: Self.client)]
        for number in 0..<destinations {
            neighbors.append(
                Neighbor(interface: 1, address: server(number).numbered(isV6: isV6), mac: serverMAC(number)))
        }
        return try RoutingBuilder(
            interfaces: interfaces, routeTexts: ["default via \(gateway) dev client0"], neighbors: neighbors
        ).build()
    }

    private static func addRules(
        to engine: Engine, _ transport: TrafficTransport, _ services: Int, _ destinations: Int,
        _ path: TrafficPath, locals: Int
    ) throws {
        try engine.changeRules { () throws(RuleError) in
            for service in 0..<services {
                let key = ServiceKey.address(
                    transportProtocol: transport == .udp ? IPProtocol.udp : IPProtocol.tcp,
                    address: virtual(service).numbered(isV6: path.isV6), port: port)
                try engine.addService(VirtualService(key: key, scheduler: .rr))
                for number in 0..<locals { try engine.addLocalAddress(local(number), to: key) }
                for number in 0..<destinations {
                    try engine.addDestination(
                        Destination(
                            key: DestinationKey(
                                address: server(number).numbered(isV6: path.isV6), port: serverPort(service)),
                            method: path.method), to: key)
                }
            }
        }
    }

    deinit {
        pool.deallocate()
        buffers.deallocate()
        frames.deallocate()
    }

    // MARK: The pool

    private func clientOf(_ flow: Int) -> (address: IPAddress, port: UInt16) {
        (IPAddress(v4: 0xc613_0000 + UInt32(flow / 50_000)), UInt16(10_000 + flow % 50_000))
    }

    private func builder(_ source: MACAddress, _ destination: MACAddress) -> FrameBuilder {
        FrameBuilder(isV6: path.isV6, transport: transport, sourceMAC: source, destinationMAC: destination)
    }

    private func frame(at place: Int) -> PacketBytes {
        PacketBytes(pool + place * Self.spacing, count: length)
    }

    /// Establish the connections in order, then put one frame after the other into the pool, flows at random.
    private func fill() {
        var order = Array(0..<flows)
        var random: UInt64 = 42
        func next(below bound: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((random >> 33) % UInt64(bound))
        }
        for place in stride(from: flows - 1, to: 0, by: -1) { order.swapAt(place, next(below: place + 1)) }
        var established = [Established](repeating: Established(), count: flows)
        if path != .copy, path != .miss, path != .open {
            let before = residentBytes()
            for flow in 0..<flows { established[flow] = establish(flow) }
            resident.connections = residentBytes() - before
        }
        for place in 0..<poolCount {
            let flow = place < flows ? order[place] : order[next(below: flows)]
            if path.isReply {
                writeReply(flow, established[flow], to: frame(at: place))
            } else {
                writeRequest(flow, to: frame(at: place))
            }
        }
    }

    private func writeRequest(_ flow: Int, to bytes: PacketBytes, flags: UInt8 = 0x10) {
        let client = clientOf(flow)
        builder(Self.client, Self.clientSide).write(
            to: bytes, source: client.address, sourcePort: client.port, destination: Self.virtual(flow % services),
            destinationPort: path == .miss ? Self.port + 1 : Self.port, flags: flags)
    }

    private func writeReply(_ flow: Int, _ connection: Established, to bytes: PacketBytes) {
        let server = Int(connection.server)
        builder(Self.serverMAC(server), Self.serverSide).write(
            to: bytes, source: Self.server(server), sourcePort: Self.serverPort(flow % services),
            destination: IPAddress(v4: connection.peer), destinationPort: connection.peerPort, flags: 0x10)
    }

    /// Send a connection's first packet; for TCP a SYN, and the segment that ends the handshake.
    private func establish(_ flow: Int) -> Established {
        // As fast as packets of connections that are there: millions are made before the first ends.
        if flow % Self.batch == 0 { advance() }
        let connection = send(flow, flags: 0x02)
        return transport == .tcp ? send(flow, flags: 0x10) : connection
    }

    private func send(_ flow: Int, flags: UInt8) -> Established {
        var frame = Frame(buffer: buffers, capacity: Self.bufferSize)
        frame.length = length
        writeRequest(flow, to: frame.bytes, flags: flags)
        frames[0] = frame
        _ = director.process(UnsafeMutableBufferPointer(rebasing: frames[..<1]))
        precondition(director.outbox.count == 1, "a connection was not established")
        let sent = director.outbox.sending[0].bytes
        director.outbox.empty()
        let server = EthernetHeader(unchecked: sent).destination.bits &- Self.serverMAC(0).bits
        let packet = sent.dropping(EthernetHeader.length)
        var connection = Established(server: UInt16(truncatingIfNeeded: server))
        if path.isV6 {
            let client = clientOf(flow)
            (connection.peer, connection.peerPort) = (client.address.v4, client.port)
        } else {
            connection.peer = IPv4Header(unchecked: packet).source.v4
            connection.peerPort = packet.load(IPv4Header.minimumLength)
        }
        return connection
    }

    /// Open `count` connections at one tick that end ten seconds later, and let ten seconds go by; those of the pool last
    /// for minutes.
    private func makeDue(_ count: Int) {
        let usual = engine.settings.timeouts
        engine.settings.timeouts = Timeouts(tcp: 10, tcpFin: 10, udp: 10)
        let start = Tick(batches >> batchesPerTick) &+ jumped
        for first in stride(from: 0, to: count, by: Self.batch) {
            let size = min(Self.batch, count - first)
            for place in 0..<size {
                var frame = Frame(buffer: buffers + place * Self.bufferSize, capacity: Self.bufferSize)
                frame.length = length
                let client = clientOf(flows + first + place)
                builder(Self.client, Self.clientSide).write(
                    to: frame.bytes, source: client.address, sourcePort: client.port, destination: Self.virtual(0),
                    destinationPort: Self.port, flags: 0)
                frames[place] = frame
            }
            _ = director.begin(now: start, routing: routing.view)
            _ = director.process(UnsafeMutableBufferPointer(rebasing: frames[..<size]))
            precondition(director.outbox.count == size, "a connection was not established")
            director.outbox.empty()
        }
        engine.settings.timeouts = usual
        jumped &+= Ticks.seconds(10) &+ 16
    }

    // MARK: Running

    private func advance() {
        batches &+= 1
        _ = director.begin(now: batches >> batchesPerTick &+ jumped, routing: routing.view)
    }

    /// Take the next batch from the pool.
    @inline(__always)
    private func receive() {
        if position == poolCount { position = 0 }
        for place in 0..<Self.batch {
            var frame = Frame(buffer: buffers + place * Self.bufferSize, capacity: Self.bufferSize)
            frame.length = length
            frame.interface = interface
            frame.writable.pointer().copyMemory(from: pool + (position + place) * Self.spacing, byteCount: Self.spacing)
            frames[place] = frame
        }
        position += Self.batch
    }

    /// Copy `batches` batches from the pool, nothing else.
    @inline(never)
    public func copy(batches: Int) {
        let start = position
        for _ in 0..<batches { receive() }
        // Frames that were left out would come again before their connections have ended.
        if path == .open { position = start }
    }

    /// Copy `batches` batches from the pool and run them through the director.
    @inline(never)
    public func run(batches: Int) {
        if path == .copy { return copy(batches: batches) }
        for _ in 0..<batches {
            receive()
            advance()
            _ = director.process(frames)
            director.outbox.empty()
        }
    }

    /// Batches after which as many connections end as are opened.
    public var warmUp: Int { path == .open ? 2 * Int(Ticks.perSecond) : 1 }

    /// Connections in the table.
    public var connections: Int { engine.table.count }

    /// How many connections were opened, and services and destinations that had one.
    public func spread() -> (connections: UInt64, services: Int, destinations: Int) {
        // The control side's clock folds the workers' counters.
        folds += 1
        engine.advance(milliseconds: folds * 2000)
        let all = engine.services()
        return (
            all.reduce(0) { $0 + $1.counters.connections }, all.count { $0.counters.connections > 0 },
            all.reduce(0) { $0 + $1.destinations.count { $0.counters.connections > 0 } }
        )
    }

    /// Frames that ended as they should: all but those of `copy`, which end nowhere.
    public var completed: UInt64 { counters.total(path == .miss ? .pass : .forward) }

    /// Frames that the director got.
    public var received: UInt64 { counters.received }
}
