import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

/// Frames that nobody would send: nothing traps, and every frame is accounted for.
@Suite("Director: arbitrary bytes")
struct DirectorArbitraryBytesTests {
    private static let virtuals: [(Endpoint, Endpoint)] = [
        ("203.0.113.80:53", "10.0.9.13:53"), ("[2001:db8:80::80]:53", "[2001:db8:9::13]:53"),
    ]

    /// A bed with services of both families, one method each.
    private func bed(_ random: inout SeededRandom) throws -> DirectorBed {
        let bed = try DirectorBed(serverMTU: random.pick([1500, 1400, 600]))
        for (virtual, server) in Self.virtuals {
            let tunnel = TunnelOptions(
                kind: random.pick([.ipip, .gue, .gre]), port: 6080, checksum: random.pick([.none, .full, .remote]))
            let method: ForwardingMethod = random.pick([.tunneling, .masquerading, .directRouting, .fullNAT])
            let carrier = random.pick(ClientAddressCarrier.allCases)
            // With FULLNAT the servers of the IPv6 service may speak IPv4.
            let isNAT64 = method == .fullNAT && Bool.random(using: &random)
            for transportProtocol in [IPProtocol.udp, IPProtocol.tcp] {
                try bed.serve(
                    virtual, transportProtocol, at: isNAT64 ? Self.virtuals[0].1 : server, method, tunnel: tunnel,
                    carrier: carrier)
            }
        }
        return bed
    }

    /// Frames that make sense: a whole packet, fragments, an ICMP error about a frame that was sent.
    private func sensible(_ random: inout SeededRandom, _ sent: [UInt8]?) -> [[UInt8]] {
        let isV4 = Bool.random(using: &random)
        let virtual = Self.virtuals[isV4 ? 0 : 1].0
        let client: Endpoint = isV4 ? "198.51.100.1:40000" : "[2001:db8:ffff::1]:40000"
        let payload = random.bytes(Int.random(in: 0...2500, using: &random))
        var builder =
            Bool.random(using: &random)
            ? PacketBuilder.udp(from: client, to: virtual, payload: payload)
            : PacketBuilder.tcp(
                from: client, to: virtual, TCPFlags(rawValue: UInt8(truncatingIfNeeded: random.next())),
                payload: payload)
        builder.identification = UInt16.random(in: 0...3, using: &random)
        builder.doesNotFragment = Bool.random(using: &random)
        if !isV4, Bool.random(using: &random) {
            builder.extensionHeaders = [
                random.pick([
                    (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0]),
                    (IPProtocol.routing, [0, 0, 4, 0, 0, 0, 0, 0]),
                    (IPProtocol.authentication, [0, 4] + [UInt8](repeating: 7, count: 22)),
                ])
            ]
        }
        if let sent, Int.random(in: 0..<3, using: &random) == 0 {
            let isOuterV4 = sent[12] == 8
            builder = PacketBuilder.icmp(
                from: isOuterV4 ? "10.0.2.254:0" : "[2001:db8:2::fe]:0",
                to: isOuterV4 ? "10.0.2.1:0" : "[2001:db8:2::1]:0", type: isOuterV4 ? 3 : 2, code: isOuterV4 ? 4 : 0,
                rest: UInt32.random(in: 0...1500, using: &random),
                payload: Array(sent.dropFirst(14).prefix(Int.random(in: 0...1000, using: &random))))
        }
        if let answer = answer(&random, sent) { return [answer] }
        guard Bool.random(using: &random), builder.segment().count > 8 else { return [builder.frame()] }
        return builder.fragments(size: 8 * Int.random(in: 1...200, using: &random)).shuffled(using: &random)
    }

    /// Sometimes: what was sent, sent back by its receiver.
    private func answer(_ random: inout SeededRandom, _ sent: [UInt8]?) -> [UInt8]? {
        guard let sent, Int.random(in: 0..<3, using: &random) == 0 else { return nil }
        let (first, size, transport) = sent[12] == 8 ? (26, 4, 34) : (22, 16, 54)
        guard sent.count >= transport + 4 else { return nil }
        let middle = first + size
        var answer = DirectorBed.eth1.wireBytes
        answer += sent[6..<first]
        for part in [
            middle..<middle + size, first..<middle, middle + size..<transport, transport + 2..<transport + 4,
            transport..<transport + 2, transport + 4..<sent.count,
        ] { answer += sent[part] }
        return answer
    }

    @Test("frames with bytes changed, cut or added", arguments: 0..<40 as Range<UInt64>)
    func mutated(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = try bed(&random)
        var last: [UInt8]?
        for _ in 0..<150 {
            for original in sensible(&random, last) {
                var frame = original
                for _ in 0..<Int.random(in: 0...2, using: &random) where !frame.isEmpty {
                    let place = Int.random(in: 12..<max(13, min(frame.count, 90)), using: &random)
                    if place < frame.count { frame[place] = UInt8(truncatingIfNeeded: random.next()) }
                }
                if Int.random(in: 0..<6, using: &random) == 0 { frame.removeLast(frame.count / 3) }
                if frame.count > 34, frame[12] == 8, frame[14] == 0x45, Bool.random(using: &random) {
                    // A right header checksum, so that more than the first check is tried.
                    frame.replaceSubrange(24..<26, with: [0, 0])
                    frame.replaceSubrange(24..<26, with: ReferenceChecksum.internet(Array(frame[14..<34])).networkBytes)
                }
                var offload = OffloadFacts()
                if Int.random(in: 0..<4, using: &random) == 0 {
                    offload.segmentation = random.pick([1, 3, 4, 5, 0x81])
                    offload.segmentSize = UInt16(truncatingIfNeeded: random.next())
                }
                let sent = bed.receive(
                    frame, interface: Int.random(in: 0...1, using: &random), offload: offload,
                    actsAsHost: Bool.random(using: &random))
                if let frame = sent.first(where: { $0.interface == 1 }) { last = frame.bytes }
                #expect(bed.isAccountedFor, "seed \(seed)")
            }
            if Int.random(in: 0..<20, using: &random) == 0 { bed.advance(seconds: 7) }
        }
        bed.advance(seconds: 70)
        #expect(bed.counters.waiting == 0 && bed.isAccountedFor, "seed \(seed)")
    }
}
