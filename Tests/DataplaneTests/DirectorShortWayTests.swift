import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The short way does what the long one does, and only where there is nothing to decide. A director that is asked for
/// explanations takes the long way always, so two with the same rules are given the same frames.
@Suite("Director: the short way")
struct DirectorShortWayTests {
    /// A frame that comes in.
    private struct Arrival {
        var bytes: [UInt8]
        var interface: Int
        var offload: OffloadFacts
    }

    /// The same director twice.
    private struct Pair {
        let short: TestDirector
        let long: TestDirector

        init(serverMTU: Int = 1500, sendsRedirects: Bool = false) throws {
            func director() throws -> TestDirector {
                let bed = try TestDirector(
                    serverMTU: serverMTU, sendsRedirects: sendsRedirects,
                    routes: [
                        "10.0.6.0/24 via 10.0.2.16 mtu 900", "10.0.7.0/24 via 10.0.2.16",
                        "10.0.8.0/24 via inet6 2001:db8:2::a00:20c", "blackhole 198.51.101.0/24",
                    ])
                // Its low bits are those of 10.0.2.12.
                bed.learn(1, .parse("2001:db8:2::a00:20c"), TestDirector.server(15))
                return bed
            }
            (short, long) = (try director(), try director())
            long.director.trace = DecisionTrace()
        }

        func both(_ change: (TestDirector) throws -> Void) throws {
            try change(short)
            try change(long)
        }

        /// What leaves, which both have in common, and so has what is left behind: entries with their timers and counts,
        /// statistics, ends.
        func receive(_ arrivals: [Arrival], _ label: String) {
            #expect(Self.receive(arrivals, by: short) == Self.receive(arrivals, by: long), "\(label)")
            #expect(Self.state(short) == Self.state(long), "\(label)")
            #expect(short.isAccountedFor && long.isAccountedFor, "\(label)")
        }

        private static func receive(_ arrivals: [Arrival], by bed: TestDirector) -> [TestDirector.Sent] {
            let heaps = arrivals.map { HeapPacket($0.bytes) }
            var frames = zip(heaps, arrivals).map { $0.frame(interface: $1.interface, offload: $1.offload) }
            var sent: [TestDirector.Sent] = []
            bed.begin()
            frames.withUnsafeMutableBufferPointer { frames in
                var next = 0
                while next < frames.count {
                    next = bed.director.process(frames, from: next)
                    sent += bed.collect()
                }
            }
            return withExtendedLifetime(heaps) { sent }
        }

        private static func state(_ bed: TestDirector) -> [String] {
            let ends = FrameEnd.allCases.map { "\($0) \(bed.counters.total($0))" }
            let drops = DropReason.allCases.map { "\($0) \(bed.counters.total($0))" }
            let entries = bed.entries.map {
                "\($0.requestKey) \($0.stateWord) \($0.deadline) \($0.timeout) \($0.bytes) \($0.requestPackets)"
            }
            return ends + drops + entries.sorted() + bed.engine.services().map { "\($0)" }
        }
    }

    private static let tcp = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
    private static let udp = TestDirector.key("203.0.113.80:53", IPProtocol.udp)
    private static let direct = TestDirector.key("203.0.113.81:80", IPProtocol.tcp)
    private static let fullNAT = TestDirector.key("203.0.113.83:80", IPProtocol.tcp)
    /// An address of a client's, which may become one of ours.
    private static let clients = TestDirector.key("198.51.100.2:80", IPProtocol.tcp)

    private func serve(_ bed: TestDirector, isPersistent: Bool = false) throws {
        let persistence = isPersistent ? Persistence(timeout: 300, prefixLength: 32) : nil
        try bed.serve(
            TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080", "10.0.2.12:80", "10.0.6.9:80", "10.0.8.9:80"],
            persistence: persistence)
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:5353", "10.0.2.13:53"], persistence: persistence)
        try bed.serve("203.0.113.81:80", IPProtocol.tcp, ["10.0.2.12:80", "10.0.7.9:80"], method: .directRouting)
        try bed.serve("203.0.113.82:80", IPProtocol.tcp, ["10.0.2.14:80"], method: .tunneling)
        try bed.engine.addService(VirtualService(key: Self.fullNAT, scheduler: .rr))
        try bed.engine.addLocalAddress(.parse("10.0.2.200"), to: Self.fullNAT)
        try bed.add("10.0.2.13:80", to: Self.fullNAT, method: .fullNAT)
        // A server of another service too: both have connections with one reply key.
        try bed.serve("203.0.113.84:80", IPProtocol.tcp, ["10.0.2.11:8080"])
    }

    // MARK: Random traffic

    private func packet(_ random: inout SeededRandom) -> (PacketBuilder, Int) {
        let addresses = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.101.1"]
        let client = Endpoint(.parse(random.pick(addresses)), 40000 &+ UInt16.random(in: 0...3, using: &random))
        let payload = random.bytes(random.pick([0, 1, 20, 33, 700, 900, 1450]))
        let ends = Int.random(in: 0..<12, using: &random) == 0
        let flags: TCPFlags =
            ends
            ? random.pick([[.ack, .fin], .rst])
            : random.pick([
                .syn, .syn, [.syn, .ack], .ack, .ack, .ack, .ack, [.ack, .psh], [.ack, .psh], [.ack, .ece, .urg],
            ])
        var builder: PacketBuilder
        var interface = 0
        switch Int.random(in: 0..<10, using: &random) {
        case 0...2: builder = .tcp(from: client, to: TestDirector.virtual, flags, payload: payload)
        case 3, 4:
            let others: [Endpoint] = ["203.0.113.81:80", "203.0.113.82:80", "203.0.113.83:80", "203.0.113.84:80"]
            builder = .tcp(from: client, to: random.pick(others), flags, payload: payload)
        case 5: builder = .udp(from: client, to: "203.0.113.80:53", payload: payload)
        case 6: builder = .udp(from: random.pick(["10.0.2.11:5353", "10.0.2.13:53"]), to: client, payload: payload)
        default:
            let servers: [Endpoint] = [
                "10.0.2.11:8080", "10.0.2.11:8080", "10.0.2.12:80", "10.0.6.9:80", "10.0.8.9:80",
            ]
            builder = .tcp(from: random.pick(servers), to: client, flags, payload: payload)
        }
        if builder.source.address.v4 >> 24 == 10 {
            interface = random.pick([1, 1, 1, 0])
            builder.sourceMAC = TestDirector.server(11)
        }
        builder.destinationMAC = interface == 0 ? TestDirector.eth0 : TestDirector.eth1
        if Int.random(in: 0..<20, using: &random) == 0 {
            builder.destinationMAC = random.pick([MACAddress.broadcast, TestDirector.gateway])
        }
        return (builder, interface)
    }

    private func arrivals(_ random: inout SeededRandom) -> [Arrival] {
        var (builder, interface) = packet(&random)
        let offload = disturb(&builder, &random)
        guard Int.random(in: 0..<40, using: &random) == 0, builder.segment().count > 16 else {
            return [Arrival(bytes: builder.frame(), interface: interface, offload: offload)]
        }
        return builder.fragments(size: 16).map { Arrival(bytes: $0, interface: interface, offload: OffloadFacts()) }
    }

    /// What is out of the ordinary, one thing or more at a time.
    private func disturb(_ builder: inout PacketBuilder, _ random: inout SeededRandom) -> OffloadFacts {
        var offload = OffloadFacts()
        switch Int.random(in: 0..<24, using: &random) {
        case 0: builder.timeToLive = random.pick([0, 1, 2])
        case 1: builder.options = random.pick([[1, 1, 1, 0], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0]])
        case 2: builder.headerChecksum = .wrong
        case 3: builder.transportChecksum = random.pick([.wrong, .zero])
        case 4: builder.padding = 6
        case 5:
            let sources = ["10.0.2.1", "203.0.113.80", "127.0.0.1", "224.0.0.1", "0.0.0.0"]
            builder.source.address = .parse(random.pick(sources))
        case 6: builder.doesNotFragment = false
        case 7...10:
            builder.transportChecksum = .partial
            offload.needsChecksum = true
            offload.checksumStart = random.pick([34, 34, 34, 38])
            offload.checksumOffset = builder.isTCP ? 16 : 6
        case 11:
            guard builder.isTCP else { break }
            builder.transportChecksum = .partial
            offload.needsChecksum = true
            offload.checksumStart = 34
            offload.checksumOffset = 16
            offload.segmentation = OffloadFacts.Segmentation.tcpv4
            offload.segmentSize = 400
            offload.headerLength = 54
        default: break
        }
        return offload
    }

    private func change(_ pair: Pair, _ random: inout SeededRandom) throws {
        let key = random.pick([Self.tcp, Self.udp, Self.direct])
        let weight = random.pick([0, 1, 3] as [Int32])
        let number = Int.random(in: 0..<11, using: &random)
        let value = Int32.random(in: 0...2, using: &random)
        let state: NeighborState = random.pick([.reachable, .reachable, .stale, .missing])
        let seconds = random.pick([0.1, 3, 3, 70])
        try pair.both { bed in
            guard let service = bed.engine.service(key) else {
                bed.engine.removeAllServices()
                return try serve(bed)
            }
            switch number {
            case 0:
                guard var destination = service.destinations.first?.destination else { return }
                destination.weight = weight
                try bed.engine.editDestination(destination, of: key)
            case 1:
                guard let destination = service.destinations.last?.destination else { return }
                try bed.engine.removeDestination(destination.key, of: key)
            case 2: try? bed.add("10.0.2.12:80", to: key, method: key == Self.direct ? .directRouting : .masquerading)
            case 3:
                bed.engine.removeAllServices()
            case 4: bed.engine.settings[.expireNodestConn] = value & 1
            case 5: bed.engine.settings[.secureTcp] = value
            case 6: bed.learn(1, .parse("10.0.2.12"), TestDirector.server(12), state)
            case 9:
                if bed.engine.service(Self.clients) == nil { try bed.serve("198.51.100.2:80") }
            case 10: if bed.engine.service(Self.clients) != nil { try bed.engine.removeService(Self.clients) }
            case 7: bed.engine.settings.timeouts = Timeouts(tcp: 60, tcpFin: 20, udp: UInt32(10 + value))
            default: _ = bed.advance(seconds: seconds)
            }
        }
    }

    /// In batches of up to 70, as the rules change between them.
    @Test(arguments: 0..<TestScale.count(debug: 8, release: 40))
    func agrees(round: Int) throws {
        var random = SeededRandom(seed: UInt64(round))
        let pair = try Pair(serverMTU: random.pick([1500, 1500, 1000]), sendsRedirects: round % 4 == 3)
        let lacking = random.pick([0, 0, 1, 2, 3] as [UInt64])
        try pair.both {
            try serve($0, isPersistent: round % 3 == 2)
            $0.director.slotsWithoutPartialChecksums = lacking
        }
        var frames: UInt64 = 0
        for batch in 0..<100 {
            if batch > 0, batch.isMultiple(of: 4) { try change(pair, &random) }
            var all: [Arrival] = []
            for _ in 0..<random.pick([1, 10, 30, 70]) { all += arrivals(&random) }
            pair.receive(all, "seed \(random.seed), batch \(batch)")
            frames += UInt64(all.count)
        }
        let went = pair.short.director.wentShortWay
        #expect(went > frames / 20 && pair.long.director.wentShortWay == 0, "seed \(random.seed): \(went) of \(frames)")
    }

    // MARK: What goes which way

    /// Whether a frame goes the short way, as `process` decides it.
    private func goesShort(_ bed: TestDirector, _ builder: PacketBuilder, interface: Int = 0) -> Bool {
        bed.begin()
        let heap = HeapPacket(builder.frame())
        var frame = heap.frame(interface: interface, offload: OffloadFacts())
        guard bed.director.hasShortWay, let key = Classify.plainV4(frame.bytes) else { return false }
        let before = frame.bytes.array()
        let hash = bed.director.table.hash(key)
        let went = withExtendedLifetime(heap) { bed.director.goShortWay(&frame, hash: hash) }
        #expect(bed.collect().count == (went ? 1 : 0))
        if !went { #expect(frame.bytes.array() == before && frame.interface == interface) }
        return went
    }

    private func established() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80"])
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.receive(TestDirector.reply([.syn, .ack]).frame(), interface: 1)
        return bed
    }

    private static let data = TestDirector.request([.ack, .psh]).setting(\.payload, [1, 2, 3])

    @Test func anEstablishedConnectionGoesTheShortWay() throws {
        let bed = try established()
        #expect(!goesShort(bed, TestDirector.request(.ack)), "the handshake's end changes the state")
        _ = bed.receive(TestDirector.request(.ack).frame())
        #expect(goesShort(bed, Self.data))
        #expect(goesShort(bed, TestDirector.reply(.ack), interface: 1))
        #expect(bed.counters.total(.forward) == 5)
    }

    @Test func whatIsToBeDecidedGoesTheLongWay() throws {
        let bed = try established()
        _ = bed.receive(TestDirector.request(.ack).frame())
        for flags: TCPFlags in [.syn, .rst, [.ack, .fin], []] {
            #expect(!goesShort(bed, TestDirector.request(flags)), "\(flags)")
        }
        #expect(!goesShort(bed, Self.data.setting(\.timeToLive, 1)))
        #expect(!goesShort(bed, Self.data.setting(\.options, [1, 1, 1, 0])))
        #expect(!goesShort(bed, Self.data.setting(\.headerChecksum, .wrong)))
        #expect(!goesShort(bed, Self.data.setting(\.destinationMAC, TestDirector.gateway)))
        #expect(!goesShort(bed, TestDirector.request(.ack, port: 40001)), "no entry")
        #expect(!goesShort(bed, Self.data.setting(\.payload, .init(repeating: 0, count: 1461))), "over the MTU")
        #expect(goesShort(bed, Self.data.setting(\.payload, .init(repeating: 0, count: 1460))))

        bed.director.trace = DecisionTrace()
        #expect(!goesShort(bed, Self.data), "somebody asked for an explanation")
        bed.director.trace = nil
        bed.learn(1, .parse("10.0.2.11"), TestDirector.server(11), .missing)
        #expect(!goesShort(bed, Self.data), "no MAC")
        bed.learn(1, .parse("10.0.2.11"), TestDirector.server(11))
        #expect(goesShort(bed, Self.data))
        try bed.engine.removeDestination(
            DestinationKey(address: .parse("10.0.2.11"), port: 80), of: Self.tcp)
        #expect(!goesShort(bed, Self.data), "its real server is gone")
    }

    @Test func marksAreSetOnTheLongWay() throws {
        let bed = try established()
        _ = bed.receive(TestDirector.request(.ack).frame())
        #expect(bed.mark(MarkRule(destinationPort: 9999, mark: 7)))
        #expect(!goesShort(bed, Self.data))
    }
}

extension PacketBuilder {
    fileprivate var isTCP: Bool { if case .tcp = transport { true } else { false } }
}
