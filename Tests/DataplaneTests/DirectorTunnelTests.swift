import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

@Suite("Director: tunnels")
struct DirectorTunnelTests {
    private static let client: Endpoint = "198.51.100.1:40000"
    private static let virtual: Endpoint = "203.0.113.80:80"
    private static let server: Endpoint = "10.0.9.13:80"
    private static let client6: Endpoint = "[2001:db8:ffff::1]:40000"
    private static let virtual6: Endpoint = "[2001:db8:80::80]:80"
    private static let server6: Endpoint = "[2001:db8:9::13]:80"

    private static func segment(_ flags: TCPFlags = .ack, bytes: Int = 0) -> PacketBuilder {
        .tcp(from: client, to: virtual, flags, payload: [UInt8](repeating: 0x61, count: bytes))
    }

    /// A bed with a TCP service and a connection on it.
    private func bed(
        _ tunnel: TunnelOptions = TunnelOptions(), server: Endpoint = Self.server, serverMTU: Int = 1500
    ) throws -> DirectorBed {
        let bed = try DirectorBed(serverMTU: serverMTU)
        try bed.serve(Self.virtual, IPProtocol.tcp, at: server, .tunneling, tunnel: tunnel)
        try #require(bed.receive(Self.segment(.syn).frame()).count == 1)
        return bed
    }

    /// The packet behind `overhead` bytes of a frame's outer headers.
    private func inner(_ frame: [UInt8], _ overhead: Int) -> [UInt8] { Array(frame.dropFirst(14 + overhead)) }

    @Test("a packet goes whole, its TTL less one, to the next hop of the destination")
    func ipip() throws {
        let sent = try bed().receive(Self.segment(bytes: 5).setting(\.timeToLive, 9).frame())
        let frame = try #require(sent.first)
        #expect(sent.count == 1 && frame.interface == 1)
        #expect(
            PacketCheck.problems(
                frame.bytes, .macs(from: DirectorBed.eth1, to: DirectorBed.router), .from("10.0.2.1:0"),
                .to("10.0.9.13:0"), .timeToLive(8), .doesNotFragment(true), .identification(0), .checksumsRight,
                .inner(
                    .from(Self.client), .to(Self.virtual), .timeToLive(8), .checksumsRight,
                    .payload([UInt8](repeating: 0x61, count: 5)))) == [])
    }

    @Test("the destination's tunnel options hold for entries it has already")
    func changed() throws {
        let bed = try bed()
        try bed.change(
            Self.virtual, IPProtocol.tcp, at: Self.server, .tunneling,
            tunnel: TunnelOptions(kind: .gue, port: 6080, checksum: .full))
        let first = try #require(bed.receive(Self.segment(bytes: 5).frame()).first)
        #expect(PacketCheck.problems(first.bytes, .transportProtocol(IPProtocol.udp), .checksumsRight) == [])
        #expect(PacketSummary(frame: first.bytes)?.destination == "10.0.9.13:6080")
        let second = try #require(bed.receive(Self.segment(bytes: 6).frame()).first)
        #expect(PacketSummary(frame: first.bytes)?.source == PacketSummary(frame: second.bytes)?.source)
    }

    @Test(
        "what does not fit with DF is refused with the MTU inside",
        arguments: [
            (TunnelOptions(), 20), (TunnelOptions(kind: .gue, port: 1), 32), (TunnelOptions(kind: .gre), 24),
            (TunnelOptions(kind: .gre, checksum: .full), 28),
        ])
    func tooBig(tunnel: TunnelOptions, overhead: Int) throws {
        let bed = try bed(tunnel)
        let fits = bed.receive(Self.segment(bytes: 1460 - overhead).frame())
        #expect(fits.first.map { PacketSummary(frame: $0.bytes)?.packetLength } == 1500)
        let sent = bed.receive(Self.segment(bytes: 1461 - overhead).frame())
        let error = try #require(sent.first)
        #expect(sent.count == 1 && error.interface == 0)
        #expect(
            PacketCheck.problems(
                error.bytes, .from("203.0.113.80:0"), .to("198.51.100.1:0"), .icmp(3, 4), .checksumsRight,
                .quoting(.timeToLive(63), .to(Self.virtual))) == [])
        #expect(PacketSummary(frame: error.bytes)?.icmpRest == UInt32(1500 - overhead))
        #expect(bed.counters.total(.tooBig) == 1 && bed.isAccountedFor)
    }

    @Test("without DF, and with pmtu_disc off, the outer packet is fragmented", arguments: [true, false])
    func fragmented(pathMTU: Bool) throws {
        let bed = try bed()
        if !pathMTU { bed.engine.settings[.pmtuDisc] = 0 }
        let builder = Self.segment(bytes: 1460).setting(\.doesNotFragment, !pathMTU)
        let summaries = bed.receive(builder.frame()).compactMap { PacketSummary(frame: $0.bytes) }
        #expect(summaries.map(\.packetLength) == [1500, 40])
        #expect(summaries.map(\.fragmentOffset) == [0, 1480])
        #expect(summaries[0].identification == summaries[1].identification && summaries[0].identification != 0)
        #expect(summaries.allSatisfy { !$0.doesNotFragment && $0.headerChecksum == .right })
        let inner = summaries.flatMap(\.segment)
        #expect(
            PacketSummary(packet: inner).map { $0.transportChecksum == .right && $0.payload == builder.payload } == true
        )
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 2)
    }

    @Test("families mix", arguments: [true, false])
    func mixed(isInnerV4: Bool) throws {
        let bed = try DirectorBed()
        let (client, virtual) = isInnerV4 ? (Self.client, Self.virtual) : (Self.client6, Self.virtual6)
        try bed.serve(virtual, IPProtocol.tcp, at: isInnerV4 ? Self.server6 : Self.server, .tunneling)
        let sent = bed.receive(PacketBuilder.tcp(from: client, to: virtual, .syn).frame())
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .transportProtocol(isInnerV4 ? IPProtocol.ipip : IPProtocol.ipv6),
                .doesNotFragment(false), .timeToLive(63), .inner(.from(client), .to(virtual), .checksumsRight)) == [])
        let large = PacketBuilder.tcp(
            from: client, to: virtual, .ack, payload: [UInt8](repeating: 0, count: isInnerV4 ? 1421 : 1421))
        let error = try #require(bed.receive(large.frame()).first)
        #expect(PacketSummary(frame: error.bytes)?.icmpRest == (isInnerV4 ? 1460 : 1480))
    }

    @Test(
        "a super-frame is cut before it is wrapped",
        arguments: [
            TunnelOptions(), TunnelOptions(kind: .gue, port: 6080, checksum: .remote),
            TunnelOptions(kind: .gre, checksum: .full),
        ])
    func superFrame(tunnel: TunnelOptions) throws {
        let bed = try bed(tunnel)
        var random = SeededRandom(seed: 7)
        let payload = random.bytes(60_000)
        let builder = Self.segment().setting(\.payload, payload).setting(\.transportChecksum, .partial)
        var offload = OffloadFacts()
        offload.segmentation = OffloadFacts.Segmentation.tcpv4
        offload.segmentSize = 1400
        offload.needsChecksum = true
        offload.checksumStart = 34
        offload.checksumOffset = 16
        let sent = bed.receive(builder.frame(), offload: offload)
        #expect(sent.count == 43)
        let overhead = Tunneling.overhead(tunnel, isOuterV4: true, isRemote: false)
        var joined: [UInt8] = []
        for frame in sent {
            #expect(!frame.isSuperFrame && !frame.needsChecksum)
            #expect(PacketSummary(frame: frame.bytes)?.headerChecksum == .right)
            let segment = try #require(PacketSummary(packet: inner(frame.bytes, overhead)))
            #expect(segment.transportChecksum == .right && segment.timeToLive == 63)
            joined += segment.payload
        }
        #expect(joined == payload)
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 2)
    }

    @Test("a super-frame whose segments are too long is refused like one of them")
    func superFrameTooBig() throws {
        let bed = try bed()
        var offload = OffloadFacts()
        offload.segmentation = OffloadFacts.Segmentation.tcpv4
        offload.segmentSize = 1448
        let sent = bed.receive(Self.segment(bytes: 20_000).frame(), offload: offload)
        #expect(sent.first.map { PacketSummary(frame: $0.bytes)?.icmpRest } == 1480)
        #expect(sent.count == 1 && bed.isAccountedFor)
    }

    @Test("a partial checksum is completed, or with remcsum left to the other end")
    func partial() throws {
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.checksumStart = 34
        offload.checksumOffset = 16
        let builder = Self.segment(bytes: 33).setting(\.transportChecksum, .partial)
        let plain = try #require(bed().receive(builder.frame(), offload: offload).first)
        #expect(PacketCheck.problems(plain.bytes, .inner(.checksumsRight)) == [])
        #expect(!plain.needsChecksum)
        let remote = TunnelOptions(kind: .gue, port: 6080, checksum: .remote)
        let left = try #require(bed(remote).receive(builder.frame(), offload: offload).first)
        #expect(PacketCheck.problems(left.bytes, .checksumsRight) == [])
        #expect(Array(left.bytes[42..<54]) == [2, 4, 0, 1, 0x80, 0, 0, 0, 0, 20, 0, 36])
        #expect(PacketSummary(packet: inner(left.bytes, 40))?.transportChecksum == .partial)
        #expect(!left.needsChecksum)
    }

    // MARK: Errors about the outer packet

    /// An error of the router on the way about `outer`, a frame that the director sent.
    private func error(_ outer: [UInt8], type: UInt8, code: UInt8, rest: UInt32 = 0, quoting: Int = 1000) -> [UInt8] {
        let isV4 = outer[12] == 8
        return PacketBuilder.icmp(
            from: isV4 ? "10.0.2.254:0" : "[2001:db8:2::fe]:0", to: isV4 ? "10.0.2.1:0" : "[2001:db8:2::1]:0",
            type: type, code: code, rest: rest, payload: Array(outer.dropFirst(14).prefix(quoting))
        ).setting(\.destinationMAC, DirectorBed.eth1).frame()
    }

    @Test(
        "an MTU that a router reports is told the client and kept for ten minutes",
        arguments: [
            (TunnelOptions(), 20), (TunnelOptions(kind: .gue, port: 6080, checksum: .full), 32),
            (TunnelOptions(kind: .gre), 24),
        ])
    func learned(tunnel: TunnelOptions, overhead: Int) throws {
        let bed = try bed(tunnel)
        let outer = try #require(bed.receive(Self.segment(bytes: 1400).frame()).first)
        let told = bed.receive(error(outer.bytes, type: 3, code: 4, rest: 1300), interface: 1)
        #expect(
            PacketCheck.problems(
                try #require(told.first).bytes, .from("203.0.113.80:0"), .to("198.51.100.1:0"), .icmp(3, 4),
                .checksumsRight, .quoting(.from(Self.client), .to(Self.virtual), .timeToLive(63))) == [])
        // The error has the MTU in use until then, as the kernel's has.
        #expect(told.first.map { PacketSummary(frame: $0.bytes)?.icmpRest } == UInt32(1500 - overhead))
        let refused = bed.receive(Self.segment(bytes: 1400).frame())
        #expect(refused.first.map { PacketSummary(frame: $0.bytes)?.icmpRest } == UInt32(1300 - overhead))
        #expect(bed.counters.total(.reply) == 1 && bed.isAccountedFor)
        bed.advance(seconds: 599)
        #expect(bed.receive(Self.segment(bytes: 1400).frame()).first?.interface == 0)
        bed.advance(seconds: 2)
        #expect(bed.receive(Self.segment(bytes: 1400).frame()).first?.interface == 1)
    }

    @Test("other errors go to the client as they are; IPv6's likewise")
    func relayed() throws {
        let bed = try bed()
        let outer = try #require(bed.receive(Self.segment(bytes: 10).frame()).first)
        for (type, code) in [(3, 1), (11, 0), (3, 2)] as [(UInt8, UInt8)] {
            let told = bed.receive(error(outer.bytes, type: type, code: code), interface: 1)
            #expect(PacketCheck.problems(try #require(told.first).bytes, .icmp(type, code), .checksumsRight) == [])
        }
        let six = try DirectorBed()
        try six.serve(Self.virtual6, IPProtocol.tcp, at: Self.server6, .tunneling)
        let syn = PacketBuilder.tcp(from: Self.client6, to: Self.virtual6, .syn)
        let outer6 = try #require(six.receive(syn.frame()).first)
        let told = six.receive(error(outer6.bytes, type: 2, code: 0, rest: 1400), interface: 1)
        #expect(
            PacketCheck.problems(
                try #require(told.first).bytes, .icmp(2, 0), .checksumsRight, .from("[2001:db8:80::80]:0"),
                .quoting(.from(Self.client6))) == [])
        let large = PacketBuilder.tcp(
            from: Self.client6, to: Self.virtual6, .ack, payload: [UInt8](repeating: 0, count: 1301))
        #expect(six.receive(large.frame()).first.map { PacketSummary(frame: $0.bytes)?.icmpRest } == 1360)
    }

    @Test("errors about something else are left alone: too short, another destination, a wrong checksum")
    func unrelated() throws {
        let bed = try bed()
        let outer = try #require(bed.receive(Self.segment(bytes: 10).frame()).first).bytes
        #expect(bed.receive(error(outer, type: 3, code: 4, rest: 1300, quoting: 28), interface: 1) == [])
        #expect(bed.counters.total(.pass) == 1)
        var other = outer
        other[33] ^= 1
        #expect(bed.receive(error(other, type: 3, code: 4, rest: 1300), interface: 1) == [])
        #expect(bed.counters.total(.pass) == 2)
        var broken = error(outer, type: 3, code: 4, rest: 1300)
        broken[36] ^= 1
        #expect(bed.receive(broken, interface: 1) == [])
        #expect(bed.counters.total(.badICMP) == 1)
        #expect(bed.receive(Self.segment(bytes: 1400).frame()).first?.interface == 1)
        #expect(bed.isAccountedFor)
    }

    @Test("a packet waits for the next hop and is sent wrapped; fragments too")
    func waits() throws {
        let bed = try DirectorBed(isRouterKnown: false)
        try bed.serve(Self.virtual, IPProtocol.tcp, at: Self.server, .tunneling)
        #expect(bed.receive(Self.segment(.syn).frame()) == [])
        let large = Self.segment(bytes: 1460).setting(\.doesNotFragment, false)
        #expect(bed.receive(large.frame()) == [])
        #expect(bed.counters.waiting == 2 && bed.isAccountedFor)
        bed.learnRouter()
        let sent = bed.advance(seconds: 0.5).compactMap { PacketSummary(frame: $0.bytes) }
        #expect(sent.map(\.packetLength) == [60, 1500, 40])
        #expect(sent.allSatisfy { $0.destinationMAC == DirectorBed.router })
        #expect(bed.counters.waiting == 0 && bed.counters.total(.forward) == 2 && bed.isAccountedFor)
    }

    @Test("nobody answers for the next hop: host unreachable from the virtual address")
    func unreachable() throws {
        let bed = try DirectorBed(isRouterKnown: false)
        try bed.serve(Self.virtual, IPProtocol.tcp, at: Self.server, .tunneling)
        bed.receive(Self.segment(.syn).frame())
        let sent = bed.advance(seconds: 4)
        #expect(sent.count == 1)
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from("203.0.113.80:0"), .icmp(3, 1), .quoting(.timeToLive(63))) == [])
        #expect(bed.counters.total(.noNeighbor) == 1 && bed.isAccountedFor)
    }

    @Test("an MTU that leaves no room for a packet: dropped")
    func noRoom() throws {
        let bed = try DirectorBed(serverMTU: 1300)
        try bed.serve(Self.virtual6, IPProtocol.tcp, at: Self.server6, .tunneling)
        #expect(bed.receive(PacketBuilder.tcp(from: Self.client6, to: Self.virtual6, .syn).frame()) == [])
        #expect(bed.counters.total(.cannotEncapsulate) == 1 && bed.isAccountedFor)
    }
}
