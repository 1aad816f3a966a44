import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// New connections: services by address and by mark, persistence, one-packet scheduling.
@Suite struct DirectorScheduleTests {
    private func server(_ sent: [TestDirector.Sent]) throws -> Endpoint {
        try #require(sent.first.flatMap { PacketSummary(frame: $0.bytes) }).destination
    }

    /// Servers are kept newest first.
    @Test func goesRoundNewestFirst() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80", "10.0.2.12:80", "10.0.2.13:80"])
        let picks = try (0..<4).map { try server(bed.receive(TestDirector.request(.syn, port: 1000 + $0).frame())) }
        #expect(picks == ["10.0.2.13:80", "10.0.2.12:80", "10.0.2.11:80", "10.0.2.13:80"])
    }

    @Test(arguments: [TCPFlags.ack, [.syn, .rst], .fin, .rst])
    func opensNothingWithoutSYN(flags: TCPFlags) throws {
        let bed = try TestDirector()
        try bed.serve()
        #expect(bed.receive(TestDirector.request(flags).frame()).isEmpty)
        #expect(bed.entries.isEmpty && bed.counters.total(.pass) == 1)
    }

    @Test func opensWithAnythingButRSTWhereSloppy() throws {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.settings[.sloppyTcp] = 1
        #expect(bed.receive(TestDirector.request(.rst).frame()).isEmpty)
        #expect(bed.receive(TestDirector.request(.ack).frame()).count == 1)
    }

    /// SCTP opens with INIT; where sloppy, with anything but ABORT. Without a chunk nothing is to be told of it.
    @Test func opensAssociationsWithINIT() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.sctp)
        func send(_ chunk: UInt8) -> Int {
            bed.receive(PacketBuilder.sctp(from: TestDirector.client, to: TestDirector.virtual, chunk: chunk).frame())
                .count
        }
        #expect(send(0) == 0 && bed.counters.total(.pass) == 1)
        bed.engine.settings[.sloppySctp] = 1
        #expect(send(6) == 0 && bed.counters.total(.pass) == 2)
        let bare = PacketBuilder(from: TestDirector.client, to: TestDirector.virtual, .sctp).frame()
        #expect(bed.receive(bare).isEmpty && bed.counters.total(DropReason.truncated) == 1)
        #expect(send(0) == 1 && bed.isAccountedFor)
    }

    /// With `schedule_icmp` an error about a connection that is not there opens it; without a server it is dropped.
    @Test func opensByAnErrorWhereToldTo() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
        let quoted = PacketBuilder.tcp(from: TestDirector.virtual, to: TestDirector.client, .ack).packet()
        let error = PacketBuilder.icmp(
            from: "198.51.100.1", to: "203.0.113.80", type: 3, code: 3, payload: quoted
        ).frame()
        #expect(bed.receive(error).isEmpty && bed.counters.total(.pass) == 1)
        bed.engine.settings[.scheduleIcmp] = 1
        let sent = try #require(bed.receive(error).first)
        #expect(
            PacketCheck.problems(
                sent.bytes, .to("10.0.2.11"), .icmp(3, 3), .checksumsRight, .quoting(.from("10.0.2.11:8080"))) == [])
        #expect(bed.entries.count == 1)
        #expect(try server(bed.receive(TestDirector.request(.ack).frame())) == "10.0.2.11:8080")
        let none = try TestDirector()
        try none.serve(TestDirector.virtual, IPProtocol.tcp, [])
        none.engine.settings[.scheduleIcmp] = 1
        #expect(none.receive(error).isEmpty && none.counters.total(DropReason.noDestination) == 1)
    }

    /// Without a usable server the client hears of it, from the virtual address.
    @Test func refusesWithoutServers() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, [])
        let sent = bed.receive(TestDirector.request(.syn).frame())
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from("203.0.113.80"), .to("198.51.100.1"), .icmp(3, 3),
                .checksumsRight,
                .quoting(.from(TestDirector.client), .to(TestDirector.virtual), .timeToLive(64))) == [])
        #expect(bed.counters.total(DropReason.noDestination) == 1 && bed.isAccountedFor)
    }

    @Test func takesServicesByMark() throws {
        let bed = try TestDirector(hostOwnsVirtual: true)
        let key = ServiceKey.mark(7, family: .v4)
        try bed.engine.addService(VirtualService(key: key, scheduler: .rr))
        try bed.add("10.0.2.11:0", to: key)
        let request = TestDirector.request(.syn, to: "203.0.113.80:8081").frame()
        #expect(bed.receive(request).isEmpty, "not marked yet")
        #expect(bed.mark(MarkRule(destination: TestDirector.virtual.address, mark: 7)))
        #expect(try server(bed.receive(request)) == "10.0.2.11:8081")
    }

    /// Live packets of a whole prefix: its addresses are no host's, but what is marked for a service is balanced.
    @Test func takesMarkedPacketsThroughUs() throws {
        let bed = try TestDirector()
        let key = ServiceKey.mark(7, family: .v4)
        try bed.engine.addService(VirtualService(key: key, scheduler: .rr))
        try bed.add("10.0.2.11:0", to: key)
        #expect(
            bed.mark(
                MarkRule(
                    destination: .parse("203.0.114.0"), destinationLength: 24, transportProtocol: IPProtocol.tcp,
                    destinationPort: 80, mark: 7)))
        #expect(try server(bed.receive(TestDirector.request(.syn, to: "203.0.114.9:80").frame())) == "10.0.2.11:80")
        #expect(bed.receive(TestDirector.request(.syn, to: "203.0.114.9:81").frame()).isEmpty)
        let reply = bed.receive(TestDirector.reply([.syn, .ack]).frame(), interface: 1)
        #expect(PacketCheck.problems(try #require(reply.first).bytes, .from("203.0.114.9:80"), .checksumsRight) == [])
        try bed.engine.removeMark(try #require(bed.engine.markRules.first))
        #expect(bed.receive(TestDirector.request(.syn, port: 40001, to: "203.0.114.9:80").frame()).isEmpty)
    }

    /// All connections of a client go to one server while the template lives; the template outlives the last of them.
    @Test func keepsPersistentClientsTogether() throws {
        let bed = try TestDirector()
        try bed.serve(
            TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80", "10.0.2.12:80"],
            persistence: Persistence(timeout: 100, prefixLength: 24))
        var picks: Set<Endpoint> = []
        for (client, port) in [("198.51.100.1", 1000), ("198.51.100.1", 1001), ("198.51.100.9", 1000)] {
            let from = try #require(Endpoint(parsing: "\(client):\(port)"))
            picks.insert(
                try server(bed.receive(PacketBuilder.tcp(from: from, to: TestDirector.virtual, .syn).frame())))
        }
        #expect(picks.count == 1)
        let other = PacketBuilder.tcp(from: "198.51.101.1:1000", to: TestDirector.virtual, .syn).frame()
        #expect(try !picks.contains(server(bed.receive(other))))
        #expect(bed.entries.count { $0.kind.contains(.template) } == 2)
        _ = bed.advance(seconds: 90)
        #expect(bed.entries.count { $0.kind.contains(.template) } == 2, "their connections were there for 60 s")
        _ = bed.advance(seconds: 200)
        #expect(bed.entries.isEmpty)
    }

    /// One-packet scheduling: every datagram has its own pick, and nothing is remembered.
    @Test func remembersNothingOfOnePacketServices() throws {
        let bed = try TestDirector()
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53", "10.0.2.12:53"], isOnePacket: true)
        let frame = PacketBuilder.udp(from: TestDirector.client, to: "203.0.113.80:53", payload: [1]).frame()
        let picks = try (0..<3).map { _ in try server(bed.receive(frame)) }
        #expect(picks == ["10.0.2.12:53", "10.0.2.11:53", "10.0.2.12:53"])
        #expect(bed.entries.isEmpty && bed.isAccountedFor)
    }
}
