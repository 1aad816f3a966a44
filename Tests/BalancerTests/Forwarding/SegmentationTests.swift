import Balancer
import TestSupport
import Testing
import Wire

@Suite("Segmentation")
struct SegmentationTests {
    /// The frames of a super-frame's segments; nil where it cannot be cut.
    private func cut(_ builder: PacketBuilder, _ kind: UInt8, size: Int, partial: Bool = true) -> [[UInt8]]? {
        let heap = HeapPacket(builder.setting(\.transportChecksum, partial ? .partial : .right).frame())
        var packet = PacketDescription()
        let isRead =
            builder.isV6
            ? Classify.v6(heap.bytes, at: 14, into: &packet) : Classify.v4(heap.bytes, at: 14, into: &packet)
        guard case .packet = isRead else { return nil }
        var offload = OffloadFacts()
        offload.segmentation = kind
        offload.segmentSize = UInt16(size)
        offload.needsChecksum = partial
        guard let cut = Segmentation(heap.bytes, packet, offload) else { return nil }
        return (0..<cut.count).map { index in
            let output = HeapPacket([UInt8](repeating: 0, count: cut.length(index)))
            cut.write(index, to: output.bytes)
            #expect(output.isIntactAround)
            return output.array
        }
    }

    @Test("segments of TCP: sequence numbers, ids, and the flags where a device puts them")
    func tcp() throws {
        let flags = TCPFlags(rawValue: 0x80 | 0x10 | 0x08 | 0x01)
        let builder = PacketBuilder.tcp(
            from: "198.51.100.1:40000", to: "203.0.113.80:80", flags, payload: [UInt8](repeating: 7, count: 250)
        ).setting(\.identification, 0xffff).setting(\.sequence, 0xffff_ff90)
        let frames = try #require(
            cut(builder, OffloadFacts.Segmentation.tcpv4 | OffloadFacts.Segmentation.ecn, size: 100))
        #expect(frames.count == 3)
        let wanted: [(UInt8, UInt32, UInt32, Int)] = [
            (0x90, 0xffff, 0xffff_ff90, 140), (0x10, 0, 0xffff_fff4, 140), (0x19, 1, 0x58, 90),
        ]
        for (frame, want) in zip(frames, wanted) {
            #expect(
                PacketCheck.problems(
                    frame, .flags(TCPFlags(rawValue: want.0)), .identification(want.1), .packetLength(want.3),
                    .doesNotFragment(true), .checksumsRight) == [])
            #expect(TCPHeader(HeapPacket(frame).bytes.dropping(34))?.sequence == want.2)
        }
    }

    @Test("datagrams of UDP: each with its length; a checksum that was left out stays so")
    func udp() throws {
        let builder = PacketBuilder.udp(
            from: "[2001:db8::1]:5", to: "[2001:db8::2]:53", payload: [UInt8](repeating: 3, count: 25))
        let frames = try #require(cut(builder, OffloadFacts.Segmentation.udpL4, size: 10))
        #expect(frames.map { PacketSummary(frame: $0)?.payload.count } == [10, 10, 5])
        for frame in frames { #expect(PacketCheck.problems(frame, .checksumsRight) == []) }

        let bare = PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:53", payload: [1, 2, 3])
        let heap = HeapPacket(bare.setting(\.transportChecksum, .zero).frame())
        var packet = PacketDescription()
        _ = Classify.v4(heap.bytes, at: 14, into: &packet)
        var offload = OffloadFacts()
        offload.segmentation = OffloadFacts.Segmentation.udpL4
        offload.segmentSize = 2
        let segments = try #require(Segmentation(heap.bytes, packet, offload))
        let output = HeapPacket([UInt8](repeating: 0, count: segments.length(0)))
        segments.write(0, to: output.bytes)
        #expect(PacketSummary(frame: output.array)?.transportChecksum == .absent)
    }

    @Test("what no device could cut is refused")
    func refused() {
        let tcp = PacketBuilder.tcp(from: "10.0.0.1:5", to: "10.0.0.2:53", .ack, payload: [1, 2, 3])
        #expect(cut(tcp, OffloadFacts.Segmentation.tcpv6, size: 1) == nil)
        #expect(cut(tcp, OffloadFacts.Segmentation.udpL4, size: 1) == nil)
        #expect(cut(tcp, OffloadFacts.Segmentation.udp, size: 1) == nil)
        #expect(cut(tcp, OffloadFacts.Segmentation.tcpv4, size: 0) == nil)
        #expect(cut(tcp.setting(\.payload, []), OffloadFacts.Segmentation.tcpv4, size: 1) == nil)
    }

    @Test("segments joined again are the super-frame", arguments: 0..<60 as Range<UInt64>)
    func joined(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let family: AddressFamily = random.pick([.v4, .v6])
        let isTCP = Bool.random(using: &random)
        let source = Endpoint(random.address(family), 1024)
        let destination = Endpoint(random.address(family), 80)
        let payload = random.bytes(Int.random(in: 1...30_000, using: &random))
        let size = Int.random(in: 1...3000, using: &random)
        var builder =
            isTCP
            ? PacketBuilder.tcp(from: source, to: destination, TCPFlags(rawValue: 0x19), payload: payload)
            : PacketBuilder.udp(from: source, to: destination, payload: payload)
        builder.transportOptions = isTCP ? [UInt8](repeating: 1, count: random.pick([0, 12, 40])) : []
        builder.identification = UInt16(truncatingIfNeeded: random.next())
        builder.sequence = UInt32(truncatingIfNeeded: random.next())
        let kind =
            isTCP
            ? (family == .v4 ? OffloadFacts.Segmentation.tcpv4 : OffloadFacts.Segmentation.tcpv6)
            : OffloadFacts.Segmentation.udpL4
        let frames = try #require(cut(builder, kind, size: size, partial: Bool.random(using: &random)), "seed \(seed)")
        #expect(frames.count == (payload.count + size - 1) / size, "seed \(seed)")
        var joined: [UInt8] = []
        for (index, frame) in frames.enumerated() {
            let summary = try #require(PacketSummary(frame: frame))
            #expect(PacketCheck.problems(frame, .from(source), .to(destination), .checksumsRight) == [], "seed \(seed)")
            #expect(summary.payload.count == size || index == frames.count - 1, "seed \(seed)")
            if isTCP {
                let sequence = TCPHeader(unchecked: HeapPacket(summary.segment).bytes).sequence
                #expect(sequence == builder.sequence &+ UInt32(joined.count), "seed \(seed)")
            }
            joined += summary.payload
        }
        #expect(joined == payload, "seed \(seed)")
    }
}
