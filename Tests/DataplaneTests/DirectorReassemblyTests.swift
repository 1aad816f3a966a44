import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

@Suite("Director: reassembly")
struct DirectorReassemblyTests {
    private static let client: Endpoint = "198.51.100.1:40000"
    private static let virtual: Endpoint = "203.0.113.80:53"
    private static let server: Endpoint = "10.0.2.13:53"
    private static let client6: Endpoint = "[2001:db8:ffff::1]:40000"
    private static let virtual6: Endpoint = "[2001:db8:80::80]:53"
    private static let server6: Endpoint = "[2001:db8:2::13]:53"

    private static func datagram(_ bytes: Int, isV4: Bool = true) -> PacketBuilder {
        .udp(
            from: isV4 ? client : client6, to: isV4 ? virtual : virtual6,
            payload: (0..<bytes).map { UInt8(truncatingIfNeeded: $0 * 7) }
        ).setting(\.identification, 0x1001)
    }

    private func bed(_ method: ForwardingMethod, isV4: Bool = true, at server: Endpoint? = nil) throws -> DirectorBed {
        let bed = try DirectorBed()
        try bed.serve(
            isV4 ? Self.virtual : Self.virtual6, IPProtocol.udp, at: server ?? (isV4 ? Self.server : Self.server6),
            method)
        return bed
    }

    /// The segment that fragments carry, in the order they were sent.
    private func joined(_ sent: [DirectorBed.Sent]) throws -> [UInt8] {
        var joined: [UInt8] = []
        for frame in sent {
            let summary = try #require(PacketSummary(frame: frame.bytes))
            #expect(summary.fragmentOffset == joined.count)
            joined += summary.segment
        }
        return joined
    }

    @Test(
        "NAT: out again in the sizes they came in, by offset, with the same id", arguments: [true, false],
        [true, false])
    func masquerading(isV4: Bool, isReversed: Bool) throws {
        let bed = try bed(.masquerading, isV4: isV4)
        let builder = Self.datagram(3000, isV4: isV4)
        let frames = builder.fragments(size: 1400)
        var order = isReversed ? Array(frames.reversed()) : frames
        let last = order.removeLast()
        for frame in order { #expect(bed.receive(frame) == []) }
        #expect(bed.counters.waiting == 2 && bed.isAccountedFor)
        let sent = bed.receive(last)
        #expect(sent.map { $0.bytes.count } == frames.map(\.count))
        let wanted = PacketBuilder.udp(
            from: builder.source, to: isV4 ? Self.server : Self.server6, payload: builder.payload)
        #expect(try joined(sent) == wanted.segment())
        for frame in sent {
            let summary = try #require(PacketSummary(frame: frame.bytes))
            #expect(summary.timeToLive == 63 && summary.headerChecksum == .right && summary.isFragment)
            #expect((summary.identification == 0x1001) == isV4)
            #expect(summary.identification == PacketSummary(frame: sent[0].bytes)?.identification)
        }
        #expect(bed.counters.waiting == 0 && bed.counters.total(.forward) == 3 && bed.isAccountedFor)
    }

    @Test("DR changes nothing but TTL and MACs")
    func direct() throws {
        let bed = try bed(.directRouting)
        let frames = Self.datagram(1000).fragments(size: 400)
        bed.receive(frames[2])
        bed.receive(frames[0])
        let sent = bed.receive(frames[1])
        let wanted = Self.datagram(1000).setting(\.timeToLive, 63)
            .setting(\.sourceMAC, DirectorBed.eth1).setting(\.destinationMAC, MACAddress(bits: 0x0200_0000_020d))
        #expect(sent.map(\.bytes) == wanted.fragments(size: 400))
    }

    @Test("TUN: one packet in outer fragments, none larger than the largest that came")
    func tunnel() throws {
        let bed = try bed(.tunneling, at: "10.0.9.13:53")
        let builder = Self.datagram(1000)
        let frames = builder.fragments(size: 400)
        bed.receive(frames[0])
        bed.receive(frames[1])
        let sent = bed.receive(frames[2])
        #expect(sent.allSatisfy { $0.bytes.count <= frames[0].count })
        let packet = try joined(sent)
        let wanted = builder.setting(\.timeToLive, 63).setting(\.doesNotFragment, false).packet()
        #expect(packet == wanted)
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 3)
    }

    @Test("a way out smaller than the fragments: IPv4 cuts smaller, IPv6 refuses")
    func smallerMTU() throws {
        let bed = try DirectorBed(serverMTU: 1000)
        try bed.serve(Self.virtual, IPProtocol.udp, at: Self.server, .directRouting)
        let frames = Self.datagram(2000).fragments(size: 1400)
        bed.receive(frames[0])
        let sent = bed.receive(frames[1])
        #expect(sent.compactMap { PacketSummary(frame: $0.bytes)?.packetLength } == [996, 996, 76])
        #expect(try joined(sent) == Self.datagram(2000).segment())

        let six = try DirectorBed(serverMTU: 1300)
        try six.serve(Self.virtual6, IPProtocol.udp, at: Self.server6, .directRouting)
        let frames6 = Self.datagram(2000, isV4: false).fragments(size: 1400)
        six.receive(frames6[0])
        let refused = six.receive(frames6[1])
        #expect(PacketCheck.problems(try #require(refused.first).bytes, .icmp(2, 0), .checksumsRight) == [])
        #expect(refused.count == 1 && six.counters.total(.tooBig) == 2 && six.isAccountedFor)
    }

    @Test("a reply in fragments is put together, translated, and sent in its sizes")
    func reply() throws {
        let bed = try bed(.masquerading)
        bed.receive(Self.datagram(10).frame())
        let reply = PacketBuilder.udp(
            from: Self.server, to: Self.client, payload: (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
        ).setting(\.destinationMAC, DirectorBed.eth1)
        let frames = reply.fragments(size: 1480)
        #expect(bed.receive(frames[1], interface: 1) == [])
        let sent = bed.receive(frames[0], interface: 1)
        #expect(sent.map { $0.bytes.count } == frames.map(\.count))
        let wanted = PacketBuilder.udp(from: Self.virtual, to: Self.client, payload: reply.payload)
        #expect(try joined(sent) == wanted.segment())
        #expect(sent.allSatisfy { $0.interface == 0 } && bed.isAccountedFor)
    }

    @Test("a datagram through us that is nobody's leaves as it came, whoever forwards it")
    func transit() throws {
        let bed = try bed(.masquerading)
        let other = PacketBuilder.udp(
            from: "10.0.2.14:9", to: "198.51.100.7:9", payload: [UInt8](repeating: 4, count: 900)
        ).setting(\.destinationMAC, DirectorBed.eth1)
        let frames = other.fragments(size: 400)
        bed.receive(frames[2], interface: 1)
        bed.receive(frames[0], interface: 1)
        bed.receive(frames[1], interface: 1)
        #expect(bed.passed == frames)
        #expect(bed.counters.total(.pass) == 3 && bed.isAccountedFor)
        bed.receive(frames[0], interface: 1)
        bed.receive(frames[2], interface: 1)
        let sent = bed.receive(frames[1], interface: 1, actsAsHost: true)
        #expect(sent.count == 3 && sent.allSatisfy { $0.interface == 0 })
        #expect(try joined(sent) == other.segment())
        #expect(bed.isAccountedFor)
    }

    @Test("a datagram to our address without a service is the host's, whole")
    func local() throws {
        let bed = try bed(.masquerading)
        let echo = PacketBuilder.icmp(
            from: "198.51.100.1:0", to: "203.0.113.80:0", type: 8, code: 0, rest: 0x0001_0002,
            payload: [UInt8](repeating: 5, count: 1000))
        let frames = echo.fragments(size: 600)
        bed.receive(frames[0])
        let sent = bed.receive(frames[1], actsAsHost: true)
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .icmp(0, 0), .checksumsRight, .packetLength(1028),
                .payload(echo.payload)) == [])
        #expect(bed.counters.total(.pass) == 1 && bed.counters.total(.reply) == 1 && bed.isAccountedFor)
    }

    @Test("time runs out: time exceeded if the first fragment is there", arguments: [true, false], [true, false])
    func timeout(isV4: Bool, hasFirst: Bool) throws {
        let bed = try bed(.masquerading, isV4: isV4)
        let frames = Self.datagram(3000, isV4: isV4).fragments(size: 1400)
        bed.receive(frames[1])
        bed.receive(frames[hasFirst ? 0 : 2])
        #expect(bed.advance(seconds: isV4 ? 29 : 59) == [])
        let sent = bed.advance(seconds: 2)
        #expect(sent.count == (hasFirst ? 1 : 0))
        if let error = sent.first {
            #expect(
                PacketCheck.problems(
                    error.bytes, isV4 ? .icmp(11, 1) : .icmp(3, 1), .checksumsRight,
                    .quoting(.timeToLive(64), .from(isV4 ? Self.client : Self.client6))) == [])
        }
        #expect(bed.counters.total(.fragmentTimeout) == 2 && bed.counters.waiting == 0 && bed.isAccountedFor)
    }

    @Test("live, only what is ours is answered when time runs out")
    func liveTimeout() throws {
        let bed = try bed(.masquerading)
        bed.withDirector { $0.isWholeHost = false }
        var elsewhere = Self.datagram(1000)
        elsewhere.destination.port = 99
        bed.receive(elsewhere.fragments(size: 400)[0])
        #expect(bed.advance(seconds: 31) == [])
        bed.receive(Self.datagram(1000).fragments(size: 400)[0])
        #expect(bed.advance(seconds: 31).count == 1)
        #expect(bed.isAccountedFor)
    }

    @Test("every fragment ends once, whatever comes", arguments: 0..<25 as Range<UInt64>)
    func accounting(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = try bed(random.pick([.masquerading, .directRouting, .tunneling]))
        for _ in 0..<120 {
            var builder = Self.datagram(Int.random(in: 100...3000, using: &random))
            builder.identification = UInt16.random(in: 0...90, using: &random)
            builder.source.port = UInt16.random(in: 1000...1010, using: &random)
            let frames = builder.fragments(size: 8 * Int.random(in: 4...150, using: &random))
            for frame in frames.shuffled(using: &random).prefix(Int.random(in: 1...frames.count, using: &random)) {
                bed.receive(frame)
                #expect(bed.isAccountedFor, "seed \(seed)")
            }
            if Int.random(in: 0..<8, using: &random) == 0 { bed.advance(seconds: 5) }
        }
        bed.advance(seconds: 61)
        #expect(bed.counters.waiting == 0 && bed.isAccountedFor, "seed \(seed)")
    }
}
