import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The same director twice: one takes the short way where it may, the other is asked for explanations and so takes the long
/// one always.
struct ShortWayPair {
    /// A frame that comes in.
    struct Arrival {
        var bytes: [UInt8]
        var interface: Int
        var offload: OffloadFacts
    }

    let short: TestDirector
    let long: TestDirector

    init(serverMTU: Int = 1500, sendsRedirects: Bool = false) throws {
        func director() throws -> TestDirector {
            let bed = try TestDirector(
                serverMTU: serverMTU, sendsRedirects: sendsRedirects,
                routes: [
                    "10.0.6.0/24 via 10.0.2.16 mtu 900", "10.0.7.0/24 via 10.0.2.16",
                    "10.0.8.0/24 via inet6 2001:db8:2::a00:20c", "blackhole 198.51.101.0/24",
                    "2001:db8:6::/64 via 2001:db8:2::16 mtu 1300", "blackhole 2001:db8:fffe::/48",
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

    /// In batches of up to 70, as `change` is called between them. A fortieth of the frames went the short way at least.
    func run(
        _ random: inout SeededRandom, change: (inout SeededRandom) throws -> Void,
        arrivals: (inout SeededRandom) -> [Arrival]
    ) throws {
        var frames: UInt64 = 0
        for batch in 0..<100 {
            if batch > 0, batch.isMultiple(of: 4) { try change(&random) }
            var all: [Arrival] = []
            for _ in 0..<random.pick([1, 10, 30, 70]) { all += arrivals(&random) }
            receive(all, "seed \(random.seed), batch \(batch)")
            frames += UInt64(all.count)
        }
        let went = short.director.wentShortWay
        #expect(went > frames / 40 && long.director.wentShortWay == 0, "seed \(random.seed): \(went) of \(frames)")
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
            "\($0.requestKey) \($0.stateWord) \($0.deadline) \($0.timeout) \($0.bytes) \($0.requestPackets) "
                + "\($0.localPort) \($0.reference)"
        }
        return ends + drops + entries.sorted() + bed.engine.services().map { "\($0)" }
    }
}

extension TestDirector {
    /// Whether a frame goes the short way, as `process` decides it.
    func goesShort(_ builder: PacketBuilder, interface: Int = 0) -> Bool {
        begin()
        let heap = HeapPacket(builder.frame())
        var frame = heap.frame(interface: interface, offload: OffloadFacts())
        let before = frame.bytes.array()
        let went = withExtendedLifetime(heap) {
            guard director.hasShortWay else { return false }
            if let key = Classify.plainV4(frame.bytes) {
                return director.goShortWay(&frame, director.table.glimpse(director.table.hash(key)))
            }
            guard let key = Classify.plainV6(frame.bytes) else { return false }
            return director.goWideShortWay(&frame, director.table.glimpse(director.table.hash(key)))
        }
        #expect(collect().count == (went ? 1 : 0))
        if !went { #expect(frame.bytes.array() == before && frame.interface == interface) }
        return went
    }
}

extension PacketBuilder {
    var isTCP: Bool { if case .tcp = transport { true } else { false } }

    private var isV4: Bool { source.address.isV4 }

    /// What is out of the ordinary, one thing or more at a time.
    mutating func disturb(_ random: inout SeededRandom) -> OffloadFacts {
        var offload = OffloadFacts()
        switch Int.random(in: 0..<24, using: &random) {
        case 0: timeToLive = random.pick([0, 1, 2])
        case 1: addOptions(&random)
        case 2: headerChecksum = .wrong
        case 3: transportChecksum = random.pick([.wrong, .zero])
        case 4: padding = 6
        case 5:
            let sources =
                isV4
                ? ["10.0.2.1", "203.0.113.80", "127.0.0.1", "224.0.0.1", "0.0.0.0"]
                : ["2001:db8:2::1", "2001:db8:80::80", "::1", "ff02::1", "::", "::2", "fe80::1"]
            source.address = .parse(random.pick(sources))
        case 6: doesNotFragment = false
        case 7...10: offload = partialChecksum(at: random.pick([0, 0, 0, 4]))
        case 11:
            guard isTCP else { break }
            offload = partialChecksum(at: 0)
            offload.segmentation = isV4 ? OffloadFacts.Segmentation.tcpv4 : OffloadFacts.Segmentation.tcpv6
            offload.segmentSize = 400
            offload.headerLength = isV4 ? 54 : 74
        default: break
        }
        return offload
    }

    private mutating func addOptions(_ random: inout SeededRandom) {
        guard !isV4 else {
            options = random.pick([[1, 1, 1, 0], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0]])
            return
        }
        let kind = random.pick([IPProtocol.hopByHop, IPProtocol.destinationOptions])
        extensionHeaders = [(kind, [0, 0, 1, 4, 0, 0, 0, 0])]
    }

    /// A partial checksum of what begins so many bytes behind the transport header's first, which is not always there.
    private mutating func partialChecksum(at offset: UInt16) -> OffloadFacts {
        transportChecksum = .partial
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.checksumStart = (isV4 ? 34 : 54) + offset
        offload.checksumOffset = isTCP ? 16 : 6
        return offload
    }

    /// What comes in of it: one frame, or sometimes its fragments.
    func arrivals(_ interface: Int, _ offload: OffloadFacts, _ random: inout SeededRandom) -> [ShortWayPair.Arrival] {
        guard Int.random(in: 0..<40, using: &random) == 0, segment().count > 16 else {
            return [ShortWayPair.Arrival(bytes: frame(), interface: interface, offload: offload)]
        }
        return fragments(size: 16).map {
            ShortWayPair.Arrival(bytes: $0, interface: interface, offload: OffloadFacts())
        }
    }
}
