import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The short way of FULLNAT: as `DirectorShortWayTests`, with local addresses, numbers that move, and what tells the real
/// server the client's address.
@Suite("Director: the short way by FULLNAT")
struct DirectorShortWayFullNATTests {
    private struct Service {
        var virtual: Endpoint
        var transportProtocol: UInt8
        var carrier: ClientAddressCarrier
        var servers: [Endpoint]
        var key: ServiceKey { TestDirector.key(virtual, transportProtocol) }
    }

    private static let services = [
        Service(
            virtual: "203.0.113.90:80", transportProtocol: IPProtocol.tcp, carrier: .none,
            servers: ["10.0.2.11:8080", "10.0.2.12:80", "10.0.6.9:80", "10.0.8.9:80"]),
        Service(
            virtual: "203.0.113.91:80", transportProtocol: IPProtocol.tcp, carrier: .tcpOption,
            servers: ["10.0.2.11:80", "10.0.2.12:80"]),
        Service(
            virtual: "203.0.113.92:80", transportProtocol: IPProtocol.tcp, carrier: .proxyProtocol,
            servers: ["10.0.2.13:80"]),
        Service(
            virtual: "203.0.113.93:53", transportProtocol: IPProtocol.udp, carrier: .none,
            servers: ["10.0.2.11:53", "10.0.2.12:5353"]),
        Service(
            virtual: "203.0.113.94:53", transportProtocol: IPProtocol.udp, carrier: .proxyProtocol,
            servers: ["10.0.2.12:53"]),
    ]
    private static let locals: [IPAddress] = [.parse("10.0.2.200"), .parse("10.0.2.201")]
    private static let clientISN: UInt32 = 0xffff_fff0
    private static let serverISN: UInt32 = 7000

    private func serve(_ bed: TestDirector, isPersistent: Bool) throws {
        let persistence = isPersistent ? Persistence(timeout: 300, prefixLength: 32) : nil
        for service in Self.services {
            var rule = VirtualService(key: service.key, scheduler: .rr, persistence: persistence)
            rule.clientAddress = service.carrier
            try bed.engine.addService(rule)
            for local in Self.locals { try bed.engine.addLocalAddress(local, to: service.key) }
            for server in service.servers { try bed.add(server, to: service.key, method: .fullNAT) }
        }
        // A server's packets past FULLNAT, from the same place.
        try bed.serve("203.0.113.95:80", IPProtocol.tcp, ["10.0.2.11:80"])
    }

    // MARK: Random traffic

    private func flags(_ random: inout SeededRandom, isReply: Bool) -> TCPFlags {
        if Int.random(in: 0..<40, using: &random) == 0 { return random.pick([[.ack, .fin], .rst]) }
        if Int.random(in: 0..<5, using: &random) == 0 { return isReply ? [.syn, .ack] : .syn }
        return random.pick([.ack, .ack, [.ack, .psh], [.ack, .ece, .urg]])
    }

    private func options(_ random: inout SeededRandom) -> [UInt8] {
        guard Int.random(in: 0..<8, using: &random) == 0 else { return [] }
        return random.pick([
            [1, 1, 5, 10] + random.bytes(8), [1, 1, 8, 10] + random.bytes(8), [2, 4, 5, 0xb4],
            [UInt8](repeating: 1, count: 40),
        ])
    }

    private func request(_ random: inout SeededRandom) -> PacketBuilder {
        let addresses = ["198.51.100.1", "198.51.100.1", "198.51.100.2", "198.51.101.1"]
        let client = Endpoint(.parse(random.pick(addresses)), 40000 &+ UInt16.random(in: 0...1, using: &random))
        let service = random.pick(Self.services)
        let payload = random.bytes(random.pick([0, 1, 20, 33, 700, 900, 1430, 1450]))
        guard service.transportProtocol == IPProtocol.tcp else {
            return .udp(from: client, to: service.virtual, payload: payload)
        }
        let flags = flags(&random, isReply: false)
        let first = Self.clientISN &+ 1
        let sequence = random.pick([first, first, first &+ 1, first &+ 29, first &- 1])
        return PacketBuilder.tcp(from: client, to: service.virtual, flags, payload: payload)
            .setting(\.sequence, flags.contains(.syn) ? Self.clientISN : sequence)
            .setting(\.acknowledgement, Self.serverISN &+ random.pick([1, 1, 2, 900]))
            .setting(\.transportOptions, options(&random))
    }

    /// A server's answer to one of the connections there are, or what looks like one.
    private func reply(_ random: inout SeededRandom, to entries: [ConnectionEntry]) -> PacketBuilder? {
        let entries = entries.filter(\.isFullNAT)
        guard !entries.isEmpty else { return nil }
        let entry = random.pick(entries)
        let server = Endpoint(entry.destination, entry.destinationPort)
        let wrong = Int.random(in: 0..<20, using: &random) == 0
        let local =
            wrong ? Endpoint(entry.client, entry.clientPort) : Endpoint(entry.local, entry.localPort)
        let payload = random.bytes(random.pick([0, 1, 33, 700, 1450]))
        guard entry.transportProtocol == IPProtocol.tcp else {
            return .udp(from: server, to: local, payload: payload)
        }
        let flags = flags(&random, isReply: true)
        let first = Self.clientISN &+ 1 &+ entry.sequenceOffset
        return PacketBuilder.tcp(from: server, to: local, flags, payload: payload)
            .setting(\.sequence, flags.contains(.syn) ? Self.serverISN : Self.serverISN &+ 1)
            .setting(\.acknowledgement, first &+ random.pick([0, 0, 14, 28, 29, 500]))
            .setting(\.transportOptions, options(&random))
    }

    private func arrivals(_ pair: ShortWayPair, _ random: inout SeededRandom) -> [ShortWayPair.Arrival] {
        var builder = request(&random)
        var interface = 0
        if Bool.random(using: &random), let reply = reply(&random, to: pair.short.entries) {
            builder = reply
            // One leg is enough for FULLNAT.
            interface = random.pick([1, 1, 0])
            builder.sourceMAC = TestDirector.server(11)
        }
        builder.destinationMAC = interface == 0 ? TestDirector.eth0 : TestDirector.eth1
        let offload = builder.disturb(&random)
        return builder.arrivals(interface, offload, &random)
    }

    private func change(_ pair: ShortWayPair, isPersistent: Bool, _ random: inout SeededRandom) throws {
        let service = random.pick(Self.services)
        let number = Int.random(in: 0..<12, using: &random)
        let weight = random.pick([0, 1, 3] as [Int32])
        let state: NeighborState = random.pick([.reachable, .reachable, .stale, .missing])
        let seconds = random.pick([0.1, 3, 3, 70])
        try pair.both { bed in
            let known = bed.engine.service(service.key)?.destinations.map(\.destination) ?? []
            switch number {
            case 0:
                guard var destination = known.first else { return }
                destination.weight = weight
                try bed.engine.editDestination(destination, of: service.key)
            case 1:
                guard known.count > 1, let destination = known.last else { return }
                try bed.engine.removeDestination(destination.key, of: service.key)
            case 2:
                try? bed.add(service.servers[service.servers.count - 1], to: service.key, method: .fullNAT)
            case 3:
                bed.engine.removeAllServices()
                try serve(bed, isPersistent: isPersistent)
            case 4: bed.engine.settings[.expireNodestConn] = weight & 1
            case 5: bed.engine.settings.timeouts = Timeouts(tcp: 60, tcpFin: 20, udp: UInt32(10 + weight))
            case 6: bed.learn(1, .parse("10.0.2.12"), TestDirector.server(12), state)
            case 7: try? bed.engine.removeLocalAddress(Self.locals[0], of: service.key)
            case 8: try? bed.engine.addLocalAddress(Self.locals[0], to: service.key)
            default: _ = bed.advance(seconds: seconds)
            }
        }
    }

    @Test(arguments: 0..<TestScale.count(debug: 4, release: 40))
    func agrees(round: Int) throws {
        var random = SeededRandom(seed: UInt64(1000 + round))
        let isPersistent = round % 3 == 2
        let pair = try ShortWayPair(serverMTU: random.pick([1500, 1500, 1000]), sendsRedirects: round % 4 == 3)
        let lacking = random.pick([0, 0, 1, 2, 3] as [UInt64])
        try pair.both {
            try serve($0, isPersistent: isPersistent)
            $0.director.slotsWithoutPartialChecksums = lacking
        }
        try pair.run(&random, change: { try change(pair, isPersistent: isPersistent, &$0) }) { arrivals(pair, &$0) }
    }

    // MARK: What goes which way

    @Test func anEstablishedConnectionGoesTheShortWay() throws {
        let bed = try FullNATBed(.v4)
        let offset = try bed.open()
        #expect(!bed.director.goesShort(bed.segment([])), "the handshake's end changes the state")
        _ = bed.forward(bed.segment([]))
        #expect(bed.director.goesShort(bed.segment([1, 2, 3])))
        let answer = bed.answer(FullNATBed.clientISN &+ offset &+ 4, [4, 5])
        #expect(bed.director.goesShort(answer, interface: 1))
        #expect(bed.director.goesShort(answer.setting(\.destinationMAC, TestDirector.eth0)), "one leg")
        #expect(!bed.director.goesShort(bed.segment([1], .syn)))
        #expect(!bed.director.goesShort(bed.segment([1]).setting(\.timeToLive, 1)))
        let blocks = answer.setting(\.transportOptions, [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2])
        #expect(!bed.director.goesShort(blocks, interface: 1), "its blocks are the client's numbers")
        #expect(!bed.director.goesShort(answer.setting(\.destination.port, 1025), interface: 1), "no entry")
        #expect(!bed.director.goesShort(bed.segment(.init(repeating: 0, count: 1461))), "over the MTU")
    }

    @Test func theClientsAddressIsAddedOnTheLongWay() throws {
        let bed = try FullNATBed(.v4, carrier: .tcpOption)
        _ = try bed.open()
        _ = bed.forward(bed.segment([]))
        #expect(!bed.director.goesShort(bed.segment([1])), "it has acknowledged the server's SYN only")
        #expect(bed.director.goesShort(bed.segment([1], seen: 1)))
    }

    @Test func theHeaderIsAddedOnTheLongWay() throws {
        let bed = try FullNATBed(.v4, carrier: .proxyProtocol)
        let first = FullNATBed.clientISN &+ 1 &+ (try bed.open())
        _ = bed.forward(bed.segment([]))
        #expect(!bed.director.goesShort(bed.segment([1])))
        #expect(!bed.director.goesShort(bed.segment([2], at: 1)))
        #expect(!bed.director.goesShort(bed.answer(first &+ 28), interface: 1), "the header's acknowledgement is news")
        _ = bed.back(bed.answer(first &+ 28))
        #expect(bed.director.goesShort(bed.segment([1])))
        #expect(bed.director.goesShort(bed.answer(first &+ 29), interface: 1))
    }

    @Test(arguments: [ClientAddressCarrier.none, .proxyProtocol])
    func datagramsGoTheShortWay(carrier: ClientAddressCarrier) throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp, carrier: carrier)
        _ = bed.forward(bed.request(.udp, [1]))
        #expect(bed.director.goesShort(bed.request(.udp, [1])) == (carrier == .none), "each has the header")
        #expect(bed.director.goesShort(bed.reply(.udp, [2]), interface: 1))
    }

    @Test func otherFamiliesGoTheLongWay() throws {
        let bed = try FullNATBed(.nat64, IPProtocol.udp)
        try bed.director.serve("203.0.113.80:53", IPProtocol.udp)
        _ = bed.forward(bed.request(.udp, [1]))
        #expect(!bed.director.goesShort(bed.reply(.udp, [2]), interface: 1))
        #expect(bed.back(bed.reply(.udp, [2])).count == 1)
    }
}
