import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

@Suite("Director: packets in pieces")
struct DirectorFragmentsTests {
    private static let client: Endpoint = "198.51.100.1:40000"
    private static let virtual: Endpoint = "203.0.113.80:80"
    private static let server: Endpoint = "10.0.2.13:80"

    private func bed(serverMTU: Int = 1500) throws -> DirectorBed {
        let bed = try DirectorBed(serverMTU: serverMTU)
        try bed.serve(Self.virtual, IPProtocol.tcp, at: Self.server, .masquerading)
        bed.receive(PacketBuilder.tcp(from: Self.client, to: Self.virtual, .syn).frame())
        return bed
    }

    private func superFrame(_ size: Int, _ bytes: Int) -> (PacketBuilder, OffloadFacts) {
        var random = SeededRandom(seed: 3)
        var offload = OffloadFacts()
        offload.segmentation = OffloadFacts.Segmentation.tcpv4
        offload.segmentSize = UInt16(size)
        offload.needsChecksum = true
        offload.checksumStart = 34
        offload.checksumOffset = 16
        let builder = PacketBuilder.tcp(
            from: Self.client, to: Self.virtual, .ack, payload: random.bytes(bytes))
        return (builder.setting(\.transportChecksum, .partial), offload)
    }

    @Test("a super-frame leaves whole where the port takes it, in segments where it does not")
    func capability() throws {
        let bed = try bed()
        let (builder, offload) = superFrame(1400, 9000)
        let whole = bed.receive(builder.frame(), offload: offload)
        #expect(whole.count == 1 && whole[0].isSuperFrame && whole[0].needsChecksum)
        bed.withDirector { $0.slotsWithoutSuperFrames = 1 << 1 }
        let sent = bed.receive(builder.frame(), offload: offload)
        #expect(sent.count == 7)
        for frame in sent {
            #expect(PacketCheck.problems(frame.bytes, .to(Self.server), .timeToLive(63), .checksumsRight) == [])
            #expect(!frame.isSuperFrame && !frame.needsChecksum)
        }
        #expect(sent.flatMap { PacketSummary(frame: $0.bytes)?.payload ?? [] } == builder.payload)
        #expect(bed.isAccountedFor && bed.counters.total(.forward) == 3)
    }

    @Test("a partial checksum is completed where the port does not take it")
    func partialChecksum() throws {
        let bed = try bed()
        let (builder, facts) = superFrame(0, 100)
        var offload = facts
        offload.segmentation = OffloadFacts.Segmentation.none
        let left = try #require(bed.receive(builder.frame(), offload: offload).first)
        #expect(left.needsChecksum)
        #expect(PacketSummary(frame: left.bytes)?.transportChecksum == .partial)
        bed.withDirector { $0.slotsWithoutPartialChecksums = 1 << 1 }
        let done = try #require(bed.receive(builder.frame(), offload: offload).first)
        #expect(!done.needsChecksum)
        #expect(PacketCheck.problems(done.bytes, .checksumsRight) == [])
    }

    @Test("segments that are too long and may be cut are fragmented")
    func segmentsInFragments() throws {
        let bed = try bed(serverMTU: 1000)
        let (builder, offload) = superFrame(1400, 2800)
        let sent = bed.receive(builder.setting(\.doesNotFragment, false).frame(), offload: offload)
        #expect(sent.compactMap { PacketSummary(frame: $0.bytes)?.packetLength } == [996, 464, 996, 464])
        #expect(bed.isAccountedFor)
    }

    @Test("either all pieces are sent or none")
    func allOrNone() throws {
        let bed = try bed()
        // 65,000 bytes in segments of 4: more frames than an outbox holds.
        let (builder, offload) = superFrame(4, 65_000)
        bed.withDirector { $0.slotsWithoutSuperFrames = 1 << 1 }
        #expect(bed.receive(builder.frame(), offload: offload) == [])
        #expect(bed.counters.total(.noBuffer) == 1 && bed.isAccountedFor)
    }

    @Test("a packet too long for the way out, without DF, leaves in fragments; with DF it is refused")
    func tooLong() throws {
        let bed = try bed(serverMTU: 800)
        let builder = PacketBuilder.tcp(
            from: Self.client, to: Self.virtual, .ack, payload: [UInt8](repeating: 1, count: 1400))
        let sent = bed.receive(builder.setting(\.doesNotFragment, false).frame())
        #expect(sent.compactMap { PacketSummary(frame: $0.bytes)?.packetLength } == [796, 664])
        bed.engine.settings[.pmtuDisc] = 0
        let refused = try #require(bed.receive(builder.frame()).first)
        #expect(PacketCheck.problems(refused.bytes, .icmp(3, 4)) == [])
        #expect(PacketSummary(frame: refused.bytes)?.icmpRest == 800)
    }
}
