import Balancer
import TestSupport
import Testing
import Wire

@Suite("Fragmentation")
struct FragmentationTests {
    /// The frames of a packet's fragments of `mtu` bytes at most.
    private func cut(_ frame: [UInt8], isV4: Bool, mtu: Int, keeps: Bool = false) -> [[UInt8]] {
        let heap = HeapPacket(frame)
        let cut = Fragmentation(
            heap.bytes, networkOffset: 14, networkLength: frame.count - 14, isV4: isV4, identification: 0xabcd_ef01,
            keepsDontFragment: keeps)
        return stride(from: 0, to: cut.payloadLength, by: cut.step(mtu: mtu)).map { offset in
            let length = min(cut.step(mtu: mtu), cut.payloadLength - offset)
            let output = HeapPacket([UInt8](repeating: 0, count: cut.frameLength(length)))
            cut.write(offset: offset, length: length, to: output.bytes)
            #expect(output.isIntactAround)
            return output.array
        }
    }

    @Test("IPv4: id kept, DF gone, offsets in eights")
    func v4() throws {
        let builder = PacketBuilder.udp(
            from: "198.51.100.1:9", to: "203.0.113.80:53", payload: [UInt8](repeating: 1, count: 100)
        ).setting(\.identification, 0x1234)
        let frames = cut(builder.frame(), isV4: true, mtu: 69)
        let summaries = frames.compactMap { PacketSummary(frame: $0) }
        #expect(summaries.map(\.fragmentOffset) == [0, 48, 96])
        #expect(summaries.map(\.packetLength) == [68, 68, 32])
        #expect(summaries.allSatisfy { $0.identification == 0x1234 && $0.headerChecksum == .right && $0.isFragment })
        #expect(summaries.allSatisfy { !$0.doesNotFragment })
        #expect(frames.map { $0[20] & 0x20 != 0 } == [true, true, false])
        let kept = cut(builder.frame(), isV4: true, mtu: 69, keeps: true)
        #expect(kept.allSatisfy { PacketSummary(frame: $0)?.doesNotFragment == true })
    }

    @Test("a fragment that is cut again keeps its place among the others")
    func again() {
        let builder = PacketBuilder.udp(
            from: "198.51.100.1:9", to: "203.0.113.80:53", payload: [UInt8](repeating: 1, count: 300))
        let middle = builder.fragments(size: 96)[1]
        let frames = cut(middle, isV4: true, mtu: 68)
        #expect(frames.compactMap { PacketSummary(frame: $0)?.fragmentOffset } == [96, 144])
        #expect(frames.map { $0[20] & 0x20 != 0 } == [true, true])
    }

    @Test("only options to be copied are in later fragments")
    func options() {
        // Record route (7), not copied; router alert (148), copied; then the end.
        let options: [UInt8] = [7, 7, 4, 0, 0, 0, 0, 148, 4, 0, 0, 0]
        let builder = PacketBuilder.udp(
            from: "198.51.100.1:9", to: "203.0.113.80:53", payload: [UInt8](repeating: 1, count: 100)
        ).setting(\.options, options)
        let frames = cut(builder.frame(), isV4: true, mtu: 80)
        #expect(Array(frames[0][34..<46]) == options)
        #expect(Array(frames[1][34..<46]) == [1, 1, 1, 1, 1, 1, 1, 148, 4, 0, 0, 0])
        #expect(frames.allSatisfy { PacketSummary(frame: $0)?.headerChecksum == .right })
    }

    @Test("IPv6: a fragment header behind the headers that every fragment needs")
    func v6() throws {
        var builder = PacketBuilder.udp(
            from: "[2001:db8::1]:9", to: "[2001:db8::2]:53", payload: [UInt8](repeating: 1, count: 100))
        builder.extensionHeaders = [(IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0])]
        let frames = cut(builder.frame(), isV4: false, mtu: 40 + 8 + 8 + 50)
        #expect(frames.map { $0[20] } == [0, 0, 0])
        #expect(frames.map { $0[54] } == [44, 44, 44])
        #expect(frames.map { $0[62] } == [17, 17, 17])
        let summaries = frames.compactMap { PacketSummary(frame: $0) }
        #expect(summaries.map(\.fragmentOffset) == [0, 48, 96])
        #expect(summaries.allSatisfy { $0.identification == 0xabcd_ef01 })
        #expect(summaries.map(\.packetLength) == frames.map { $0.count - 14 })
    }

    @Test("fragments joined again are the packet", arguments: 0..<40 as Range<UInt64>)
    func joined(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let family: AddressFamily = random.pick([.v4, .v6])
        let builder = PacketBuilder.udp(
            from: Endpoint(random.address(family), 9), to: Endpoint(random.address(family), 53),
            payload: random.bytes(Int.random(in: 1...9000, using: &random)))
        let mtu = Int.random(in: 68...2000, using: &random)
        let frames = cut(builder.frame(), isV4: family == .v4, mtu: mtu)
        var joined: [UInt8] = []
        for (index, frame) in frames.enumerated() {
            let summary = try #require(PacketSummary(frame: frame))
            #expect(summary.packetLength <= mtu && summary.fragmentOffset == joined.count, "seed \(seed)")
            #expect(summary.packetLength + 8 > mtu || index == frames.count - 1, "seed \(seed)")
            joined += summary.segment
        }
        #expect(joined == builder.segment(), "seed \(seed)")
    }
}
