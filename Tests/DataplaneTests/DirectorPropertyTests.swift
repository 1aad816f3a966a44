import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

/// What holds for any packet, method and family: what the client gets back is its own connection, every checksum is what
/// summing everything gives, and what was cut is whole again when it is joined.
@Suite("Director: properties")
struct DirectorPropertyTests {
    /// A way to a real server.
    struct Way: Sendable, CustomTestStringConvertible {
        var method: ForwardingMethod
        var isV4: Bool
        var server: Endpoint
        var tunnel = TunnelOptions()
        /// Bytes of outer headers.
        var overhead = 0

        var client: Endpoint { isV4 ? "198.51.100.1:40000" : "[2001:db8:ffff::1]:40000" }
        var virtual: Endpoint { isV4 ? "203.0.113.80:80" : "[2001:db8:80::80]:80" }
        var testDescription: String {
            "\(method) \(isV4 ? "IPv4" : "IPv6") \(server) \(tunnel.kind) \(tunnel.checksum)"
        }
    }

    private static let kinds: [(TunnelOptions, Int)] = [
        (TunnelOptions(), 0), (TunnelOptions(kind: .gue, port: 6080), 12),
        (TunnelOptions(kind: .gue, port: 6080, checksum: .full), 12),
        (TunnelOptions(kind: .gue, port: 6080, checksum: .remote), 12), (TunnelOptions(kind: .gre), 4),
        (TunnelOptions(kind: .gre, checksum: .full), 8),
    ]

    static let tunnels: [Way] = [true, false].flatMap { isV4 in
        ([("10.0.9.13:80", 20), ("[2001:db8:9::13]:80", 40)] as [(Endpoint, Int)]).flatMap { server, outer in
            kinds.map { tunnel, shim in
                Way(
                    method: .tunneling, isV4: isV4, server: server, tunnel: tunnel, overhead: outer + shim)
            }
        }
    }

    static let ways: [Way] =
        [true, false].flatMap { isV4 in
            [
                Way(method: .masquerading, isV4: isV4, server: isV4 ? "10.0.2.13:8080" : "[2001:db8:2::13]:8080"),
                Way(method: .masquerading, isV4: isV4, server: isV4 ? "10.0.2.13:80" : "[2001:db8:2::13]:80"),
                Way(method: .directRouting, isV4: isV4, server: isV4 ? "10.0.2.13:80" : "[2001:db8:2::13]:80"),
            ]
        } + tunnels

    private func bed(_ way: Way) throws -> DirectorBed {
        let bed = try DirectorBed()
        for transportProtocol in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
            try bed.serve(way.virtual, transportProtocol, at: way.server, way.method, tunnel: way.tunnel)
        }
        return bed
    }

    /// A packet that opens a connection, and what the sender's device was to do about its checksum.
    private func request(_ way: Way, _ random: inout SeededRandom) -> (PacketBuilder, OffloadFacts) {
        var client = way.client
        client.port = UInt16.random(in: 1024...65_535, using: &random)
        let payload = random.bytes(Int.random(in: 0...300, using: &random))
        var builder: PacketBuilder
        switch Int.random(in: 0..<5, using: &random) {
        case 0: builder = .sctp(from: client, to: way.virtual, chunk: 1, value: payload)
        case 1, 2: builder = .udp(from: client, to: way.virtual, payload: payload)
        default: builder = .tcp(from: client, to: way.virtual, .syn, payload: payload)
        }
        builder.timeToLive = UInt8.random(in: 2...255, using: &random)
        builder.typeOfService = UInt8(truncatingIfNeeded: random.next()) & 0xfc
        builder.identification = UInt16(truncatingIfNeeded: random.next())
        builder.doesNotFragment = Bool.random(using: &random)
        if way.isV4, Bool.random(using: &random) { builder.options = random.pick([[1, 1, 1, 0], [148, 4, 0, 0]]) }
        if !way.isV4, Bool.random(using: &random) {
            builder.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        }
        let offload = offload(&builder, &random)
        return (builder, offload)
    }

    /// Sometimes the checksum is left to a device, as veth does it; UDP may have none.
    private func offload(_ builder: inout PacketBuilder, _ random: inout SeededRandom) -> OffloadFacts {
        var offload = OffloadFacts()
        let choice = Int.random(in: 0..<4, using: &random)
        let start = 14 + builder.packet().count - builder.segment().count
        switch builder.transport {
        case .udp where choice == 0 && !builder.isV6:
            builder.transportChecksum = .zero
        case .sctp where choice < 2:
            builder.transportChecksum = .zero
            offload.checksumOffset = 8
            offload.needsChecksum = true
        case .tcp where choice < 3, .udp where choice < 3:
            builder.transportChecksum = .partial
            if case .tcp = builder.transport { offload.checksumOffset = 16 } else { offload.checksumOffset = 6 }
            offload.needsChecksum = true
        default: break
        }
        offload.checksumStart = UInt16(start)
        return offload
    }

    /// What stands in a frame for the device's part to be done, or is already done; nil: it is wrong.
    private func isRight(_ frame: DirectorBed.Sent, mayBeAbsent: Bool = false) -> Bool {
        guard let summary = PacketSummary(frame: frame.bytes), summary.headerChecksum == .right else { return false }
        switch summary.transportChecksum {
        case .right, .unknown: return !frame.needsChecksum
        case .partial: return frame.needsChecksum
        case .absent: return mayBeAbsent
        case .wrong: return false
        }
    }

    @Test("a request and its reply: the client gets its own connection back", arguments: ways, 0..<3 as Range<UInt64>)
    func roundTrip(way: Way, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = try bed(way)
        for _ in 0..<8 {
            let (builder, offload) = request(way, &random)
            let sent = bed.receive(builder.frame(), offload: offload)
            try #require(sent.count == 1, "seed \(seed) \(builder.transport)")
            let overhead = way.overhead + (isRemote(way, builder) ? 8 : 0)
            let arrived = try #require(PacketSummary(packet: Array(sent[0].bytes.dropFirst(14 + overhead))))
            #expect(arrived.source == builder.source && arrived.payload == builder.payload, "seed \(seed)")
            #expect(arrived.timeToLive == builder.timeToLive - 1, "seed \(seed)")
            #expect(arrived.typeOfService == builder.typeOfService, "seed \(seed)")
            guard way.method == .masquerading else {
                #expect(arrived.destination == builder.destination, "seed \(seed)")
                if way.method == .tunneling {
                    try checkTunnel(way, builder, sent[0], arrived, seed)
                } else {
                    #expect(isRight(sent[0], mayBeAbsent: hasNone(builder)), "seed \(seed) \(builder.transport)")
                }
                continue
            }
            #expect(arrived.destination == way.server && isRight(sent[0]), "seed \(seed) \(builder.transport)")
            try reply(way, builder, bed, &random, seed)
        }
        #expect(bed.isAccountedFor)
    }

    private func isSCTP(_ builder: PacketBuilder) -> Bool { builder.transportProtocol == IPProtocol.sctp }

    /// Whether a datagram was sent without a checksum.
    private func hasNone(_ builder: PacketBuilder) -> Bool {
        if case .zero = builder.transportChecksum { return !isSCTP(builder) }
        return false
    }

    /// Whether the checksum is left to the other end of a tunnel.
    private func isRemote(_ way: Way, _ builder: PacketBuilder) -> Bool {
        guard way.tunnel.checksum == .remote, case .partial = builder.transportChecksum else { return false }
        return true
    }

    private func reply(
        _ way: Way, _ request: PacketBuilder, _ bed: DirectorBed, _ random: inout SeededRandom, _ seed: UInt64
    ) throws {
        var answer = request
        answer.source = way.server
        answer.destination = request.source
        answer.sourceMAC = MACAddress(bits: 0x0200_0000_020d)
        answer.destinationMAC = DirectorBed.eth1
        if case .tcp = answer.transport { answer.transport = .tcp(TCPFlags(rawValue: 0x12)) }
        if case .sctp = answer.transport { answer.payload[0] = 2 }
        answer.transportChecksum = .right
        answer.timeToLive = 64
        let offload = offload(&answer, &random)
        let sent = bed.receive(answer.frame(), interface: 1, offload: offload)
        try #require(sent.count == 1, "seed \(seed)")
        let arrived = try #require(PacketSummary(frame: sent[0].bytes))
        #expect(arrived.source == way.virtual && arrived.destination == request.source, "seed \(seed)")
        #expect(sent[0].interface == 0 && arrived.timeToLive == 63, "seed \(seed)")
        #expect(arrived.payload == answer.payload && isRight(sent[0]), "seed \(seed) \(answer.transport)")
    }

    private func checkTunnel(
        _ way: Way, _ builder: PacketBuilder, _ sent: DirectorBed.Sent, _ inner: PacketSummary, _ seed: UInt64
    ) throws {
        #expect(!sent.needsChecksum, "seed \(seed)")
        let outer = try #require(PacketSummary(frame: sent.bytes))
        #expect(outer.headerChecksum == .right && outer.destination.address == way.server.address, "seed \(seed)")
        if way.tunnel.kind == .gue {
            let wanted: PacketSummary.ChecksumVerdict = way.tunnel.checksum == .none ? .absent : .right
            #expect(outer.transportChecksum == wanted, "seed \(seed)")
        }
        var wanted: Set<PacketSummary.ChecksumVerdict> = [hasNone(builder) ? .absent : .right]
        if isRemote(way, builder) {
            wanted = [.partial]
            let start = builder.packet().count - builder.segment().count
            let field = start + (builder.transportProtocol == IPProtocol.tcp ? 16 : 6)
            let option = sent.bytes.dropFirst(14 + way.overhead + 4).prefix(4)
            #expect(Array(option) == UInt16(start).networkBytes + UInt16(field).networkBytes, "seed \(seed)")
        }
        #expect(
            wanted.contains(inner.transportChecksum) && inner.headerChecksum == .right,
            "seed \(seed) \(builder.transport) \(inner.transportChecksum)")
    }

    // MARK: Super-frames

    @Test(
        "a super-frame before a tunnel: its segments joined are the original", arguments: tunnels,
        0..<2 as Range<UInt64>)
    func superFrame(way: Way, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = try bed(way)
        let isTCP = seed % 2 == 0
        let size = Int.random(in: 8...1300, using: &random)
        let (builder, offload) = superFrame(way, isTCP: isTCP, size: size, &random)
        let sent = bed.receive(builder.frame(), offload: offload)
        try #require(sent.count == (builder.payload.count + size - 1) / size, "seed \(seed)")
        try checkSegments(sent, builder, size, overhead: way.overhead, seed)
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 1)
    }

    @Test(
        "a super-frame whose way out cuts none, down to segments of 8 bytes", arguments: [true, false],
        [8, 40, 536, 1400])
    func superFrameWithoutDevice(isV4: Bool, size: Int) throws {
        var random = SeededRandom(seed: UInt64(size))
        let way = Self.ways[isV4 ? 0 : 3]
        let bed = try bed(way)
        bed.withDirector { $0.slotsWithoutSuperFrames = 1 << 1 }
        let (template, offload) = superFrame(way, isTCP: true, size: size, &random)
        let builder = template.setting(\.payload, random.bytes(60_000))
        let sent = bed.receive(builder.frame(), offload: offload)
        try #require(sent.count == (60_000 + size - 1) / size)
        let translated = builder.setting(\.destination, way.server)
        try checkSegments(sent, translated, size, overhead: 0, UInt64(size))
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 1)
    }

    private func superFrame(
        _ way: Way, isTCP: Bool, size: Int, _ random: inout SeededRandom
    ) -> (PacketBuilder, OffloadFacts) {
        let payload = random.bytes(Int.random(in: size...max(size, min(20_000, size * 60)), using: &random))
        var builder =
            isTCP
            ? PacketBuilder.tcp(from: way.client, to: way.virtual, TCPFlags(rawValue: 0x1b), payload: payload)
            : PacketBuilder.udp(from: way.client, to: way.virtual, payload: payload)
        builder.transportOptions = isTCP ? [UInt8](repeating: 1, count: random.pick([0, 12, 40])) : []
        builder.sequence = UInt32(truncatingIfNeeded: random.next())
        builder.transportChecksum = .partial
        var offload = OffloadFacts()
        offload.segmentation =
            isTCP
            ? (way.isV4 ? OffloadFacts.Segmentation.tcpv4 : OffloadFacts.Segmentation.tcpv6)
            : OffloadFacts.Segmentation.udpL4
        offload.segmentSize = UInt16(size)
        offload.needsChecksum = true
        offload.checksumStart = UInt16(14 + builder.packet().count - builder.segment().count)
        offload.checksumOffset = isTCP ? 16 : 6
        return (builder, offload)
    }

    private func checkSegments(
        _ sent: [DirectorBed.Sent], _ builder: PacketBuilder, _ size: Int, overhead: Int, _ seed: UInt64
    ) throws {
        var joined: [UInt8] = []
        for (index, frame) in sent.enumerated() {
            #expect(!frame.isSuperFrame && !frame.needsChecksum, "seed \(seed)")
            let segment = try #require(PacketSummary(packet: Array(frame.bytes.dropFirst(14 + overhead))))
            #expect(segment.transportChecksum == .right && segment.headerChecksum == .right, "seed \(seed)")
            #expect(segment.source == builder.source && segment.destination == builder.destination, "seed \(seed)")
            #expect(segment.payload.count == size || index == sent.count - 1, "seed \(seed)")
            if segment.flags != nil {
                let number = PacketSummary.sequence(segment)
                #expect(number == builder.sequence &+ UInt32(joined.count), "seed \(seed)")
            }
            joined += segment.payload
        }
        #expect(joined == builder.payload, "seed \(seed)")
    }
}

extension PacketSummary {
    /// The sequence number of a TCP segment.
    static func sequence(_ summary: PacketSummary) -> UInt32 {
        summary.segment[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
