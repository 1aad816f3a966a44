import Balancer
import Dataplane
import TestSupport
import Testing
import Wire

/// 200,000 frames of every kind, whole, cut, changed, or garbage, with offload facts that fit and that do not: nothing
/// traps, and every frame ends under a named reason or waits.
@Suite("Director: fuzz")
struct DirectorFuzzTests {
    private static let frames = 25_000
    private static let largest = 66_000

    /// Services of both families and every transport, each at a real server of some method.
    private func bed(_ random: inout SeededRandom) throws -> DirectorBed {
        let bed = try DirectorBed(mtu: random.pick([1500, 1400]), serverMTU: random.pick([1500, 1400, 600, 68]))
        for (virtual, near, far) in Self.addresses {
            for transportProtocol in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
                let method: ForwardingMethod = random.pick([.masquerading, .directRouting, .tunneling])
                let tunnel = TunnelOptions(
                    kind: random.pick([.ipip, .gue, .gre]), port: 6080, checksum: random.pick([.none, .full, .remote]))
                let server = method == .tunneling ? far : near
                try bed.serve(virtual, transportProtocol, at: server, method, tunnel: tunnel)
            }
        }
        bed.engine.settings[.scheduleIcmp] = random.pick([0, 1])
        bed.engine.settings[.natIcmpSend] = random.pick([0, 1])
        bed.engine.settings[.sloppyTcp] = random.pick([0, 1])
        bed.engine.settings[.pmtuDisc] = random.pick([0, 1])
        return bed
    }

    private static let addresses: [(Endpoint, Endpoint, Endpoint)] = [
        ("203.0.113.80:53", "10.0.2.13:53", "10.0.9.13:53"),
        ("[2001:db8:80::80]:53", "[2001:db8:2::13]:53", "[2001:db8:9::13]:53"),
    ]

    private func builder(_ random: inout SeededRandom, _ sent: [UInt8]?) -> PacketBuilder {
        let isV4 = Bool.random(using: &random)
        let client: Endpoint = isV4 ? "198.51.100.1:40000" : "[2001:db8:ffff::1]:40000"
        let (virtual, server, _) = Self.addresses[isV4 ? 0 : 1]
        let isReply = Int.random(in: 0..<4, using: &random) == 0
        let (source, destination) = isReply ? (server, client) : (client, virtual)
        let payload = random.bytes(Int.random(in: 0...random.pick([20, 300, 1600]), using: &random))
        var builder: PacketBuilder
        switch Int.random(in: 0..<9, using: &random) {
        case 0...2:
            builder = .tcp(
                from: source, to: destination, TCPFlags(rawValue: UInt8(truncatingIfNeeded: random.next())),
                payload: payload)
        case 3, 4: builder = .udp(from: source, to: destination, payload: payload)
        case 5: builder = .sctp(from: source, to: destination, chunk: random.pick([1, 2, 6, 10, 0]), value: payload)
        case 6: builder = PacketBuilder(from: source, to: destination, .other(random.pick([4, 41, 47, 50, 59, 253])))
        default:
            let quoted =
                sent.map { Array($0.dropFirst(14)) }
                ?? PacketBuilder.udp(from: destination, to: source, payload: payload).packet()
            builder = .icmp(
                from: source, to: random.pick([destination, isV4 ? "10.0.2.1:0" : "[2001:db8:2::1]:0"]),
                type: random.pick([1, 2, 3, 4, 5, 8, 11, 12, 13, 128, 135]), code: random.pick([0, 1, 3, 4]),
                rest: UInt32.random(in: 0...1500, using: &random),
                payload: Array(quoted.prefix(Int.random(in: 0...600, using: &random))))
        }
        builder.timeToLive = random.pick([0, 1, 2, 64, 255])
        builder.doesNotFragment = Bool.random(using: &random)
        builder.typeOfService = random.pick([0, 1, 3, 0xb8])
        builder.identification = UInt16.random(in: 0...5, using: &random)
        if isV4, Int.random(in: 0..<6, using: &random) == 0 {
            builder.options = random.bytes(4 * Int.random(in: 1...10, using: &random))
        }
        if !isV4, Int.random(in: 0..<4, using: &random) == 0 {
            let kind = random.pick([IPProtocol.hopByHop, IPProtocol.routing, IPProtocol.destinationOptions])
            builder.extensionHeaders = [(kind, [0, random.pick([0, 0, 1, 9]), 1, 4, 0, 0, 0, 0])]
        }
        return builder
    }

    /// The frames of one step.
    private func step(_ random: inout SeededRandom, _ sent: [UInt8]?) -> [[UInt8]] {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: return [random.bytes(Int.random(in: 0...200, using: &random))]
        case 1:
            let type = random.pick([[0x08, 0x00], [0x86, 0xdd], [0x08, 0x06], [0x81, 0x00]] as [[UInt8]])
            return [
                DirectorBed.eth0.wireBytes + DirectorBed.gateway.wireBytes + type
                    + random.bytes(Int.random(in: 0...120, using: &random))
            ]
        case 2...5:
            let builder = builder(&random, sent)
            guard builder.segment().count > 8 else { return [builder.frame()] }
            let frames = builder.fragments(size: 8 * Int.random(in: 1...60, using: &random))
            return Array(frames.shuffled(using: &random).prefix(Int.random(in: 1...20, using: &random)))
        default: return [builder(&random, sent).frame()]
        }
    }

    private func mutate(_ frame: inout [UInt8], _ random: inout SeededRandom) {
        for _ in 0..<random.pick([0, 0, 1, 3]) where !frame.isEmpty {
            let place = Int.random(in: 0..<min(frame.count, 100), using: &random)
            frame[max(place, min(12, frame.count - 1))] = UInt8(truncatingIfNeeded: random.next())
        }
        if Int.random(in: 0..<5, using: &random) == 0 {
            frame.removeLast(Int.random(in: 0...frame.count, using: &random))
        }
        let header = frame.count > 14 ? Int(frame[14] & 0xf) * 4 : 0
        if header >= 20, frame.count >= 14 + header, frame[12] == 8, Int.random(in: 0..<4, using: &random) > 0 {
            frame.replaceSubrange(24..<26, with: [0, 0])
            let sum = ReferenceChecksum.internet(Array(frame[14..<14 + header]))
            frame.replaceSubrange(24..<26, with: sum.networkBytes)
        }
    }

    private func offload(_ random: inout SeededRandom) -> OffloadFacts {
        var offload = OffloadFacts()
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            offload.needsChecksum = true
            offload.checksumStart = random.pick([34, 54, 62, UInt16.random(in: 0...2000, using: &random)])
            offload.checksumOffset = random.pick([6, 16, 8, UInt16.random(in: 0...2000, using: &random)])
        case 1:
            offload.needsChecksum = Bool.random(using: &random)
            offload.checksumStart = random.pick([34, 54])
            offload.checksumOffset = random.pick([6, 16])
            offload.segmentation = random.pick([1, 3, 4, 5, 0x81, 9])
            offload.segmentSize = random.pick([0, 1, 8, 100, 1400, 65_535])
        default: break
        }
        return offload
    }

    /// Frames that are changed again and again: building them takes longer than handling them.
    private func originals(_ random: inout SeededRandom) throws -> [[UInt8]] {
        let bed = try bed(&random)
        var frames: [[UInt8]] = []
        var last: [UInt8]?
        while frames.count < 400 {
            let step = step(&random, last)
            for frame in step { last = bed.receive(frame).first { $0.interface == 1 }?.bytes ?? last }
            frames += step
        }
        return frames
    }

    @Test("whatever comes", arguments: 0..<8 as Range<UInt64>)
    func whatever(seed: UInt64) throws {
        var random = SeededRandom(seed: seed &+ 1000)
        let originals = try originals(&random)
        let bed = try bed(&random)
        let heap = HeapPacket([UInt8](repeating: 0, count: Self.largest))
        for count in 1...Self.frames {
            var bytes = random.pick(originals)
            mutate(&bytes, &random)
            bytes.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(start: heap.bytes.pointer(at: 0), count: source.count)
                    .copyMemory(from: source)
            }
            var frame = heap.frame(interface: Int(random.next() & 1), offload: offload(&random))
            frame.length = bytes.count
            bed.handle(frame, actsAsHost: random.next() & 1 == 0)
            if count % 64 == 0 { try #require(bed.isAccountedFor, "seed \(seed), frame \(count)") }
            if count % 500 == 0 { bed.advance(seconds: 3) }
        }
        bed.advance(seconds: 70)
        #expect(bed.counters.waiting == 0 && bed.isAccountedFor, "seed \(seed)")
        #expect(bed.counters.received == Self.frames, "seed \(seed)")
        #expect(bed.counters.total(.forward) > 500 && bed.counters.total(.drop) > 500, "seed \(seed)")
    }
}
