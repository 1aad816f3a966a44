import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// The pipeline as a whole: every frame ends once, in memory that is its own, the same way every time.
@Suite struct DirectorTests {
    /// A director with a service of every sort that rewrites in place.
    static func busyBed(seed: UInt64) throws -> TestDirector {
        let bed = try TestDirector(entries: 512, sendsRedirects: true, seed: seed)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080", "10.0.2.12:80", "10.0.2.99:80"])
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53"], method: .directRouting)
        try bed.serve("203.0.113.80:54", IPProtocol.udp, ["10.0.2.12:53"], isOnePacket: true)
        try bed.serve("203.0.113.80:9000", IPProtocol.sctp, ["10.0.2.13:9001"])
        try bed.serve(
            "203.0.113.80:443", IPProtocol.tcp, ["10.0.2.14:443"],
            persistence: Persistence(timeout: 5, prefixLength: 32))
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, ["[2001:db8:2::11]:8080"])
        try bed.serve("[2001:db8:80::80]:53", IPProtocol.udp, ["[2001:db8:2::12]:53"])
        let key = ServiceKey.mark(9, family: .v4)
        try bed.engine.addService(VirtualService(key: key, scheduler: .rr))
        try bed.add("10.0.2.15:0", to: key)
        #expect(bed.mark(MarkRule(destinationPort: 9999, mark: 9)))
        return bed
    }

    /// A frame that may be whole, cut or changed, and the interface it comes in by.
    static func frame(_ random: inout SeededRandom) -> ([UInt8], Int) {
        let interface = Int.random(in: 0...1, using: &random)
        var builder = builder(&random)
        builder.destinationMAC = interface == 0 ? TestDirector.eth0 : TestDirector.eth1
        builder.timeToLive = random.pick([64, 64, 64, 2, 1, 0])
        if random.pick([true, false, false]) { builder.payload += random.bytes(random.pick([1, 7, 100, 1400, 3000])) }
        if !builder.isV6, random.pick([true, false, false, false, false]) {
            builder.options = random.pick([[1, 1, 1, 0], [7, 7, 4, 0, 0, 0, 0, 0], [131, 3, 4, 0], random.bytes(4)])
        }
        builder.doesNotFragment = random.pick([true, false])
        builder.transportChecksum = random.pick([.right, .right, .right, .wrong, .zero])
        var frame = builder.frame()
        if random.pick([true, false, false, false, false]), !builder.segment().isEmpty {
            frame = random.pick(builder.fragments(size: 8))
        }
        switch random.pick([0, 0, 0, 0, 1, 2, 3]) {
        case 1: frame = Array(frame.prefix(Int.random(in: 0...frame.count, using: &random)))
        case 2: for _ in 0..<3 { frame[Int.random(in: frame.indices, using: &random)] = random.bytes(1)[0] }
        case 3: frame += random.bytes(random.pick([1, 40]))
        default: break
        }
        return (frame, interface)
    }

    private static func builder(_ random: inout SeededRandom) -> PacketBuilder {
        let port = UInt16.random(in: 1000...1200, using: &random)
        let flags = random.pick([TCPFlags.syn, .ack, .fin, .rst, [.syn, .ack], []])
        let isV6 = random.pick([false, false, true])
        let client: Endpoint =
            isV6 ? Endpoint(TestDirector.clientV6.address, port) : Endpoint(TestDirector.client.address, port)
        let virtual = Endpoint(
            isV6 ? TestDirector.virtualV6.address : TestDirector.virtual.address,
            random.pick([80, 80, 53, 54, 443, 9000, 9999, 7]))
        let server = Endpoint(
            isV6 ? .parse("2001:db8:2::11") : .parse("10.0.2.11"), random.pick([8080, 53, 80]))
        let toServer = PacketBuilder.tcp(from: client, to: server, .ack).packet()
        let toClient = PacketBuilder.tcp(from: virtual, to: client, .ack).packet()
        let unreachable: UInt8 = isV6 ? 1 : 3
        switch random.pick([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8]) {
        case 0: return .tcp(from: client, to: virtual, flags)
        case 1: return .tcp(from: server, to: client, flags)
        case 2: return .udp(from: client, to: virtual)
        case 3: return .udp(from: server, to: client)
        case 4: return .sctp(from: client, to: virtual, chunk: random.pick([1, 0, 6]))
        case 5: return .icmp(from: server, to: client, type: unreachable, code: 3, payload: toServer)
        case 6: return .icmp(from: client, to: virtual, type: unreachable, code: 3, payload: toClient)
        case 7: return .icmp(from: client, to: virtual, type: isV6 ? 128 : 8, code: 0)
        default: return PacketBuilder(from: client, to: virtual, .other(random.pick([47, 50, 0, 44, 59])))
        }
    }

    /// Whole, cut and changed frames of both families: none traps, none leads to a write beside it, and every one has
    /// ended exactly once or waits.
    @Test(arguments: [false, true])
    func endsEveryFrameOnce(isWholeHost: Bool) throws {
        let seed: UInt64 = 20_261_123
        var random = SeededRandom(seed: seed)
        let bed = try Self.busyBed(seed: seed)
        bed.director.isWholeHost = isWholeHost
        var memory = 0
        let frames = TestScale.count(20_000)
        for number in 0..<frames {
            let (bytes, interface) = Self.frame(&random)
            let heap = HeapPacket(bytes)
            _ = bed.receive(heap, interface: interface, asHost: isWholeHost ? true : nil)
            if !heap.isIntactAround { memory += 1 }
            if number % 200 == 199 { _ = bed.advance(seconds: 1) }
            guard bed.isAccountedFor else {
                Issue.record("frame \(number) of seed \(seed) did not end once: \(bytes)")
                return
            }
        }
        #expect(memory == 0, "seed \(seed)")
        #expect(bed.counters.received == frames)
        for end in FrameEnd.allCases where isWholeHost || end != .reply {
            #expect(bed.counters.total(end) > 0, "\(end)")
        }
        // The soup is worth something: it reached many of the reasons.
        let reasons = DropReason.allCases.filter { bed.counters.total($0) > 0 }
        #expect(reasons.count >= (frames < 20_000 ? 8 : 10), "\(reasons)")
        _ = bed.advance(seconds: 120)
        #expect(bed.counters.waiting == 0 && bed.isAccountedFor, "nothing waits for ever")
    }

    @Test func repeatsItself() throws {
        func run() throws -> [TestDirector.Sent] {
            var random = SeededRandom(seed: 99)
            let bed = try Self.busyBed(seed: 4)
            return try (0..<2000).flatMap { number -> [TestDirector.Sent] in
                let (bytes, interface) = Self.frame(&random)
                let sent = bed.receive(bytes, interface: interface, asHost: true)
                try #require(bed.isAccountedFor)
                return sent + (number % 100 == 99 ? bed.advance(seconds: 1) : [])
            }
        }
        let first = try run()
        #expect(first.count > 500)
        #expect(try run() == first)
    }

    /// When the outbox is full, `process` says where to go on; nothing is lost and the order is kept.
    @Test func stopsForAFullOutbox() throws {
        let bed = try TestDirector()
        try bed.serve()
        bed.director.outbox = Outbox(capacity: Outbox.mostFrames + 10, arena: Outbox.mostBytes + (1 << 17))
        let heaps = (0..<64).map { HeapPacket(TestDirector.request(.syn, port: 1000 + UInt16($0)).frame()) }
        var frames = heaps.map { $0.frame() }
        var ports: [UInt16] = []
        var calls = 0
        bed.begin()
        withExtendedLifetime(heaps) {
            frames.withUnsafeMutableBufferPointer { buffer in
                var next = 0
                while next < buffer.count {
                    let before = next
                    next = bed.director.process(buffer, from: next)
                    calls += 1
                    ports += bed.collect().compactMap { PacketSummary(frame: $0.bytes)?.source.port }
                    guard next > before else { return }
                }
            }
        }
        #expect(ports == (1000..<1064).map { UInt16($0) })
        #expect(calls > 1)
        #expect(bed.counters.received == 64 && bed.counters.total(.forward) == 64)
    }
}
