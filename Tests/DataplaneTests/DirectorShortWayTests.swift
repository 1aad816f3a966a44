import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The short way does what the long one does, and only where there is nothing to decide. A director that is asked for
/// explanations takes the long way always, so two with the same rules are given the same frames.
@Suite("Director: the short way")
struct DirectorShortWayTests {
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

    private func change(_ pair: ShortWayPair, _ random: inout SeededRandom) throws {
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

    @Test(arguments: 0..<TestScale.count(debug: 8, release: 40))
    func agrees(round: Int) throws {
        var random = SeededRandom(seed: UInt64(round))
        let pair = try ShortWayPair(serverMTU: random.pick([1500, 1500, 1000]), sendsRedirects: round % 4 == 3)
        let lacking = random.pick([0, 0, 1, 2, 3] as [UInt64])
        try pair.both {
            try serve($0, isPersistent: round % 3 == 2)
            $0.director.slotsWithoutPartialChecksums = lacking
        }
        try pair.run(&random, change: { try change(pair, &$0) }) { random in
            var (builder, interface) = packet(&random)
            let offload = builder.disturb(&random)
            return builder.arrivals(interface, offload, &random)
        }
    }

    // MARK: What goes which way

    private func established(onlyHostAddresses: Bool = false) throws -> TestDirector {
        let bed = try TestDirector(hostOwnsVirtual: onlyHostAddresses, ownsAddresses: !onlyHostAddresses)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80"])
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.receive(TestDirector.reply([.syn, .ack]).frame(), interface: 1)
        return bed
    }

    private static let data = TestDirector.request([.ack, .psh]).setting(\.payload, [1, 2, 3])

    @Test func anEstablishedConnectionGoesTheShortWay() throws {
        let bed = try established()
        #expect(!bed.goesShort(TestDirector.request(.ack)), "the handshake's end changes the state")
        _ = bed.receive(TestDirector.request(.ack).frame())
        #expect(bed.goesShort(Self.data))
        #expect(bed.goesShort(TestDirector.reply(.ack), interface: 1))
        #expect(bed.counters.total(.forward) == 5)
    }

    @Test func whatIsToBeDecidedGoesTheLongWay() throws {
        let bed = try established()
        _ = bed.receive(TestDirector.request(.ack).frame())
        for flags: TCPFlags in [.syn, .rst, [.ack, .fin], []] {
            #expect(!bed.goesShort(TestDirector.request(flags)), "\(flags)")
        }
        #expect(!bed.goesShort(Self.data.setting(\.timeToLive, 1)))
        #expect(!bed.goesShort(Self.data.setting(\.options, [1, 1, 1, 0])))
        #expect(!bed.goesShort(Self.data.setting(\.headerChecksum, .wrong)))
        #expect(!bed.goesShort(Self.data.setting(\.destinationMAC, TestDirector.gateway)))
        #expect(!bed.goesShort(TestDirector.request(.ack, port: 40001)), "no entry")
        #expect(!bed.goesShort(Self.data.setting(\.payload, .init(repeating: 0, count: 1461))), "over the MTU")
        #expect(bed.goesShort(Self.data.setting(\.payload, .init(repeating: 0, count: 1460))))

        bed.director.trace = DecisionTrace()
        #expect(!bed.goesShort(Self.data), "somebody asked for an explanation")
        bed.director.trace = nil
        bed.learn(1, .parse("10.0.2.11"), TestDirector.server(11), .missing)
        #expect(!bed.goesShort(Self.data), "no MAC")
        bed.learn(1, .parse("10.0.2.11"), TestDirector.server(11))
        #expect(bed.goesShort(Self.data))
        try bed.engine.removeDestination(
            DestinationKey(address: .parse("10.0.2.11"), port: 80), of: Self.tcp)
        #expect(!bed.goesShort(Self.data), "its real server is gone")
    }

    /// With `run --only-host-addresses`, as when VRRP takes the address away while connections live.
    @Test func anAddressThatTheHostLostIsNotOurs() throws {
        let bed = try established(onlyHostAddresses: true)
        _ = bed.receive(TestDirector.request(.ack).frame())
        #expect(bed.goesShort(Self.data))
        bed.releaseVirtual()
        bed.begin()
        #expect(!bed.goesShort(Self.data))
        #expect(bed.receive(Self.data.frame()).isEmpty && bed.counters.total(.pass) == 1)
        #expect(bed.goesShort(TestDirector.reply(.ack), interface: 1), "an answer is one still")
    }

    @Test func marksAreSetOnTheLongWay() throws {
        let bed = try established()
        _ = bed.receive(TestDirector.request(.ack).frame())
        #expect(bed.mark(MarkRule(destinationPort: 9999, mark: 7)))
        #expect(!bed.goesShort(Self.data))
    }
}
