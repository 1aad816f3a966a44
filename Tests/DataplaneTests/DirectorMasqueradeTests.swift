import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// Masquerade rules of services with NAT destinations.
@Suite struct DirectorMasqueradeTests {
    private static let local = IPAddress(v4: 0x0a00_02c8)
    private static let server: Endpoint = "10.0.2.11:8080"
    private static let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
    private static let clients = AddressPrefix("198.51.100.0/24")
    private static let others = AddressPrefix("10.100.0.0/16")

    private func director(
        _ rule: MasqueradeRule?, hasLocal: Bool = true, persistence: Persistence? = nil
    ) throws -> TestDirector {
        let director = try TestDirector()
        var service = VirtualService(key: Self.key, scheduler: .rr, persistence: persistence)
        service.masquerade = rule
        try director.engine.addService(service)
        if hasLocal { try director.engine.addLocalAddress(Self.local, to: Self.key) }
        try director.add(Self.server, to: Self.key)
        return director
    }

    private func source(of sent: [TestDirector.Sent]) throws -> Endpoint { try FullNATBed.one(sent).source }

    /// What the real server sees of a client for each rule, and that the reply finds the client again.
    @Test(arguments: [
        (MasqueradeRule?.none, false), (.loops, false), (.all, true), (.nodePort, true),
        (clients.map { .outside($0) }, false), (others.map { .outside($0) }, true),
    ])
    func theClientsAddressIsReplacedWhereTheRuleSays(rule: MasqueradeRule?, isReplaced: Bool) throws {
        let director = try director(rule)
        let seen = try source(of: director.receive(TestDirector.request(.syn).frame()))
        #expect(seen == (isReplaced ? Endpoint(Self.local, 1024) : TestDirector.client))
        let reply = PacketBuilder(from: Self.server, to: seen, .tcp([.syn, .ack]))
            .setting(\.sourceMAC, TestDirector.server(11)).setting(\.destinationMAC, TestDirector.eth1)
        let back = director.receive(reply.frame(), interface: 1)
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(TestDirector.virtual), .to(TestDirector.client), .checksumsRight)
                == [])
        // The destination stays NAT, whatever its connections are.
        let status = try #require(director.engine.service(Self.key))
        #expect(status.destinations.map(\.destination.method) == [.masquerading])
        #expect(status.destinations.map { $0.activeConnections + $0.inactiveConnections } == [1])
    }

    @Test func aServerReachesItselfThroughTheService() throws {
        let director = try director(.loops)
        let request = PacketBuilder(
            from: Endpoint(Self.server.address, 40000), to: TestDirector.virtual, .tcp(.syn)
        ).setting(\.sourceMAC, TestDirector.server(11)).setting(\.destinationMAC, TestDirector.eth1)
        let there = director.receive(request.frame(), interface: 1)
        #expect(there.map(\.interface) == [1])
        #expect(try source(of: there) == Endpoint(Self.local, 1024))
        #expect(try FullNATBed.one(there).destination == Self.server)
    }

    /// A real server on the host itself, behind a device (here: interface 1): it sees an address that leads back there.
    @Test func aServerOnTheHostItselfAnswersThroughTheDevice() throws {
        let own: Endpoint = "10.0.2.1:8080"
        let director = try TestDirector(routes: ["192.0.0.5/32 via 10.0.2.16"])
        director.director.localClientSlot = 1
        director.engine.reachHost(from: [IPAddress(v4: 0xc000_0005)])
        try director.engine.addService(VirtualService(key: Self.key, scheduler: .rr))
        try director.add(own, to: Self.key)
        let there = director.receive(TestDirector.request(.syn).frame())
        #expect(there.map(\.interface) == [1])
        let seen = try source(of: there)
        #expect(seen == Endpoint(IPAddress(v4: 0xc000_0005), 1024))
        #expect(try FullNATBed.one(there).destination == own)
        let reply = PacketBuilder(from: own, to: seen, .tcp([.syn, .ack]))
            .setting(\.sourceMAC, .zero).setting(\.destinationMAC, TestDirector.eth1)
        let back = director.receive(reply.frame(), interface: 1)
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(TestDirector.virtual), .to(TestDirector.client), .checksumsRight)
                == [])
        // From anywhere else such a source is nobody's.
        let forged = PacketBuilder(from: own, to: seen, .tcp([.ack]))
            .setting(\.destinationMAC, TestDirector.eth0)
        #expect(director.receive(forged.frame(), interface: 0) == [])
        #expect(director.counters.total(DropReason.martianSource) == 1)
        // Nobody on a network is told of that address.
        let traffic = director.engine.ownedTraffic(isHostAddress: { _ in false })
        #expect(traffic.addresses.contains(seen.address) && !traffic.arpFor.contains(seen.address))
    }

    @Test func withoutALocalAddressItStaysNAT() throws {
        let director = try director(.all, hasLocal: false)
        #expect(try source(of: director.receive(TestDirector.request(.syn).frame())) == TestDirector.client)
    }

    /// The rule is looked at once: an entry stays what it was when it was made.
    @Test func anEntryKeepsWhatItWasMadeWith() throws {
        let director = try director(.all)
        let first = TestDirector.request(.syn)
        #expect(try source(of: director.receive(first.frame())) == Endpoint(Self.local, 1024))
        var service = VirtualService(key: Self.key, scheduler: .rr)
        service.masquerade = .loops
        try director.engine.editService(service)
        #expect(try source(of: director.receive(first.frame())) == Endpoint(Self.local, 1024))
        let second = TestDirector.request(.syn, port: 40001)
        #expect(try source(of: director.receive(second.frame())).address == TestDirector.client.address)
    }

    /// Of the host's own addresses the one on the way to the real server is taken, with a port that the host does not use.
    @Test func theHostsAddressOnTheWayIsTaken() throws {
        let director = try director(.all, hasLocal: false)
        director.engine.network = { [snapshot = director.snapshot] in snapshot }
        let own = IPAddress(v4: 0x0a00_0201)
        for address in [IPAddress(v4: 0xc000_0201), own] {
            try director.engine.addLocalAddress(address, to: Self.key)
        }
        for port in 0..<UInt16(3) {
            let request = TestDirector.request(.syn, port: 40_000 + port)
            #expect(try source(of: director.receive(request.frame())) == Endpoint(own, 61_000 + port))
        }
        let reply = PacketBuilder(from: Self.server, to: Endpoint(own, 61_000), .tcp([.syn, .ack]))
            .setting(\.sourceMAC, TestDirector.server(11)).setting(\.destinationMAC, TestDirector.eth1)
        let back = director.receive(reply.frame(), interface: 1)
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(TestDirector.virtual), .to(TestDirector.client), .checksumsRight)
                == [])
    }

    @Test func persistenceAndMasqueradingGoTogether() throws {
        let director = try director(.all, persistence: Persistence(timeout: 60, prefixLength: 32))
        for (number, port) in [UInt16(40000), 40001].enumerated() {
            let seen = try source(of: director.receive(TestDirector.request(.syn, port: port).frame()))
            #expect(seen == Endpoint(Self.local, 1024 + UInt16(number)))
        }
        #expect(director.engine.connections().count { $0.isTemplate } == 1)
    }
}
