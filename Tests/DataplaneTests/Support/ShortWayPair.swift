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

    /// In batches of up to 70, as `change` is called between them. A twentieth of the frames went the short way at least.
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
        #expect(went > frames / 20 && long.director.wentShortWay == 0, "seed \(random.seed): \(went) of \(frames)")
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
        guard director.hasShortWay, let key = Classify.plainV4(frame.bytes) else { return false }
        let before = frame.bytes.array()
        let hash = director.table.hash(key)
        let went = withExtendedLifetime(heap) { director.goShortWay(&frame, hash: hash) }
        #expect(collect().count == (went ? 1 : 0))
        if !went { #expect(frame.bytes.array() == before && frame.interface == interface) }
        return went
    }
}

extension PacketBuilder {
    var isTCP: Bool { if case .tcp = transport { true } else { false } }

    /// What is out of the ordinary, one thing or more at a time.
    mutating func disturb(_ random: inout SeededRandom) -> OffloadFacts {
        var offload = OffloadFacts()
        switch Int.random(in: 0..<24, using: &random) {
        case 0: timeToLive = random.pick([0, 1, 2])
        case 1: options = random.pick([[1, 1, 1, 0], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0]])
        case 2: headerChecksum = .wrong
        case 3: transportChecksum = random.pick([.wrong, .zero])
        case 4: padding = 6
        case 5:
            let sources = ["10.0.2.1", "203.0.113.80", "127.0.0.1", "224.0.0.1", "0.0.0.0"]
            source.address = .parse(random.pick(sources))
        case 6: doesNotFragment = false
        case 7...10:
            transportChecksum = .partial
            offload.needsChecksum = true
            offload.checksumStart = random.pick([34, 34, 34, 38])
            offload.checksumOffset = isTCP ? 16 : 6
        case 11:
            guard isTCP else { break }
            transportChecksum = .partial
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
