import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The short way of IPv6: as `DirectorShortWayTests`, with packets of IPv4 in the same batches.
@Suite("Director: the short way of IPv6")
struct DirectorWideShortWayTests {
    private static let tcp = TestDirector.key(TestDirector.virtualV6, IPProtocol.tcp)
    private static let udp = TestDirector.key("[2001:db8:80::81]:53", IPProtocol.udp)
    private static let direct = TestDirector.key("[2001:db8:80::82]:80", IPProtocol.tcp)
    private static let plain = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
    /// An address of a client's, which may become one of ours.
    private static let clients = TestDirector.key("[2001:db8:ffff::2]:80", IPProtocol.tcp)

    private func serve(_ bed: TestDirector, isPersistent: Bool) throws {
        let persistence = isPersistent ? Persistence(timeout: 300, prefixLength: 128) : nil
        try bed.serve(
            TestDirector.virtualV6, IPProtocol.tcp,
            ["[2001:db8:2::11]:8080", "[2001:db8:2::12]:80", "[2001:db8:6::9]:80"], persistence: persistence)
        try bed.serve(
            "[2001:db8:80::81]:53", IPProtocol.udp, ["[2001:db8:2::11]:5353", "[2001:db8:2::13]:53"],
            persistence: persistence)
        try bed.serve("[2001:db8:80::82]:80", IPProtocol.tcp, ["[2001:db8:2::12]:80"], method: .directRouting)
        try bed.serve("[2001:db8:80::83]:80", IPProtocol.tcp, ["[2001:db8:2::14]:80"], method: .tunneling)
        for (virtual, server, local) in [
            ("[2001:db8:80::84]:80", "[2001:db8:2::13]:80", "2001:db8:2::200"),
            ("[2001:db8:80::85]:80", "10.0.2.13:80", "10.0.2.200"),
        ] as [(Endpoint, Endpoint, String)] {
            let key = TestDirector.key(virtual, IPProtocol.tcp)
            try bed.engine.addService(VirtualService(key: key, scheduler: .rr))
            try bed.engine.addLocalAddress(.parse(local), to: key)
            try bed.add(server, to: key, method: .fullNAT)
        }
        // A server of another service too: both have connections with one reply key.
        try bed.serve("[2001:db8:80::86]:80", IPProtocol.tcp, ["[2001:db8:2::11]:8080"])
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
    }

    // MARK: Random traffic

    private func packet(_ random: inout SeededRandom) -> PacketBuilder {
        let addresses = ["2001:db8:ffff::1", "2001:db8:ffff::1", "2001:db8:ffff::2", "2001:db8:fffe::1"]
        let client = Endpoint(.parse(random.pick(addresses)), 40000 &+ UInt16.random(in: 0...3, using: &random))
        let payload = random.bytes(random.pick([0, 1, 20, 33, 700, 1200, 1240, 1430]))
        let ends = Int.random(in: 0..<30, using: &random) == 0
        let flags: TCPFlags =
            ends
            ? random.pick([[.ack, .fin], .rst])
            : random.pick([
                .syn, .syn, [.syn, .ack], .ack, .ack, .ack, .ack, [.ack, .psh], [.ack, .psh], [.ack, .ece, .urg],
            ])
        switch Int.random(in: 0..<11, using: &random) {
        case 0...2: return .tcp(from: client, to: TestDirector.virtualV6, flags, payload: payload)
        case 3, 4:
            let others: [Endpoint] = [
                "[2001:db8:80::82]:80", "[2001:db8:80::82]:80", "[2001:db8:80::83]:80", "[2001:db8:80::84]:80",
                "[2001:db8:80::85]:80", "[2001:db8:80::86]:80",
            ]
            return .tcp(from: client, to: random.pick(others), flags, payload: payload)
        case 5: return .udp(from: client, to: "[2001:db8:80::81]:53", payload: payload)
        case 6:
            let servers: [Endpoint] = ["[2001:db8:2::11]:5353", "[2001:db8:2::13]:53"]
            return .udp(from: random.pick(servers), to: client, payload: payload)
        case 7: return .tcp(from: TestDirector.client, to: TestDirector.virtual, flags, payload: payload)
        default:
            let servers: [Endpoint] = [
                "[2001:db8:2::11]:8080", "[2001:db8:2::11]:8080", "[2001:db8:2::12]:80", "[2001:db8:6::9]:80",
            ]
            return .tcp(from: random.pick(servers), to: client, flags, payload: payload)
        }
    }

    private func arrivals(_ random: inout SeededRandom) -> [ShortWayPair.Arrival] {
        var builder = packet(&random)
        var interface = 0
        if !builder.source.address.isV4, builder.source.address.high >> 16 & 0xffff < 0x80 {
            interface = random.pick([1, 1, 1, 0])
            builder.sourceMAC = TestDirector.server(11)
        }
        builder.destinationMAC = interface == 0 ? TestDirector.eth0 : TestDirector.eth1
        if Int.random(in: 0..<20, using: &random) == 0 {
            builder.destinationMAC = random.pick([MACAddress.broadcast, TestDirector.gateway])
        }
        let offload = builder.disturb(&random)
        return builder.arrivals(interface, offload, &random)
    }

    private func change(_ pair: ShortWayPair, isPersistent: Bool, _ random: inout SeededRandom) throws {
        let key = random.pick([Self.tcp, Self.udp, Self.direct])
        let weight = random.pick([0, 1, 3] as [Int32])
        let number = Int.random(in: 0..<12, using: &random)
        let state: NeighborState = random.pick([.reachable, .reachable, .stale, .missing])
        let seconds = random.pick([0.1, 3, 3, 70])
        try pair.both { bed in
            guard let service = bed.engine.service(key) else {
                bed.engine.removeAllServices()
                return try serve(bed, isPersistent: isPersistent)
            }
            switch number {
            case 0:
                guard var destination = service.destinations.first?.destination else { return }
                destination.weight = weight
                try bed.engine.editDestination(destination, of: key)
            case 1:
                guard let destination = service.destinations.last?.destination else { return }
                try bed.engine.removeDestination(destination.key, of: key)
            case 2:
                try? bed.add(
                    "[2001:db8:2::12]:80", to: key, method: key == Self.direct ? .directRouting : .masquerading)
            case 3: bed.engine.removeAllServices()
            case 4: bed.engine.settings[.expireNodestConn] = weight & 1
            case 5: bed.engine.settings[.secureTcp] = weight
            case 6: bed.learn(1, .parse("2001:db8:2::12"), TestDirector.server(12), state)
            case 7: bed.engine.settings.timeouts = Timeouts(tcp: 60, tcpFin: 20, udp: UInt32(10 + weight))
            case 8:
                // Without a service of its own, IPv4 has no short way, and IPv6 keeps it.
                if bed.engine.service(Self.plain) != nil { try bed.engine.removeService(Self.plain) }
            case 9:
                guard bed.engine.service(Self.clients) == nil else { return }
                try bed.serve("[2001:db8:ffff::2]:80", IPProtocol.tcp, ["[2001:db8:2::11]:80"])
            case 10: if bed.engine.service(Self.clients) != nil { try bed.engine.removeService(Self.clients) }
            default: _ = bed.advance(seconds: seconds)
            }
        }
    }

    @Test(arguments: 0..<TestScale.count(debug: 4, release: 40))
    func agrees(round: Int) throws {
        var random = SeededRandom(seed: UInt64(2000 + round))
        let isPersistent = round % 3 == 2
        let pair = try ShortWayPair(serverMTU: random.pick([1500, 1500, 1280]), sendsRedirects: round % 4 == 3)
        let lacking = random.pick([0, 0, 1, 2, 3] as [UInt64])
        try pair.both {
            try serve($0, isPersistent: isPersistent)
            $0.director.slotsWithoutPartialChecksums = lacking
        }
        try pair.run(&random, change: { try change(pair, isPersistent: isPersistent, &$0) }) { arrivals(&$0) }
    }

    // MARK: What goes which way

    private func established(
        _ method: ForwardingMethod = .masquerading, server: Endpoint = "[2001:db8:2::11]:80"
    ) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, [server], method: method)
        _ = bed.receive(Self.request(.syn).frame())
        _ = bed.receive(Self.reply([.syn, .ack]).frame(), interface: 1)
        _ = bed.receive(Self.request(.ack).frame())
        return bed
    }

    private static func request(_ flags: TCPFlags) -> PacketBuilder {
        TestDirector.request(flags, to: TestDirector.virtualV6)
    }
    private static func reply(_ flags: TCPFlags) -> PacketBuilder {
        TestDirector.reply(flags, from: "[2001:db8:2::11]:80", to: TestDirector.clientV6)
    }
    private static let data = request([.ack, .psh]).setting(\.payload, [1, 2, 3])

    @Test func anEstablishedConnectionGoesTheShortWay() throws {
        let bed = try established()
        #expect(bed.goesShort(Self.data))
        #expect(bed.goesShort(Self.reply(.ack), interface: 1))
        #expect(try established(.directRouting).goesShort(Self.data))
        #expect(try !established(.tunneling).goesShort(Self.data))
    }

    @Test func whatIsToBeDecidedGoesTheLongWay() throws {
        let bed = try established()
        for flags: TCPFlags in [.syn, .rst, [.ack, .fin], []] {
            #expect(!bed.goesShort(Self.request(flags)), "\(flags)")
        }
        #expect(!bed.goesShort(Self.data.setting(\.timeToLive, 1)))
        #expect(!bed.goesShort(Self.data.setting(\.destinationMAC, TestDirector.gateway)))
        #expect(!bed.goesShort(Self.data.setting(\.source.port, 40001)), "no entry")
        var extended = Self.data
        extended.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        #expect(!bed.goesShort(extended))
        #expect(!bed.goesShort(Self.data.setting(\.payload, .init(repeating: 0, count: 1441))), "over the MTU")
        #expect(bed.goesShort(Self.data.setting(\.payload, .init(repeating: 0, count: 1440))))
        bed.learn(1, .parse("2001:db8:2::11"), TestDirector.server(11), .missing)
        #expect(!bed.goesShort(Self.data), "no MAC")
        bed.learn(1, .parse("2001:db8:2::11"), TestDirector.server(11))
        try bed.engine.removeDestination(
            DestinationKey(address: .parse("2001:db8:2::11"), port: 80), of: Self.tcp)
        #expect(!bed.goesShort(Self.data), "its real server is gone")
    }
}
