import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// The end of a drain on the wire.
@Suite struct DirectorDrainTests {
    private static let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)

    /// A service with two servers, one connection of which is with 10.0.2.12 and has been established.
    private func bed(
        _ method: ForwardingMethod = .masquerading, persistence: Persistence? = nil
    ) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(
            TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80", "10.0.2.12:80"], method: method,
            persistence: persistence)
        _ = bed.receive(TestDirector.request(.syn).frame())
        if method == .masquerading { _ = bed.receive(fromServer([.syn, .ack]).frame(), interface: 1) }
        _ = bed.receive(TestDirector.request(.ack).frame())
        let entry = try #require(bed.entries.first { !$0.kind.contains(.template) })
        #expect(entry.destination == .parse("10.0.2.12") && entry.state == TCPState.established.rawValue)
        return bed
    }

    private func drain(_ bed: TestDirector, seconds: Int, _ ending: DrainEnding) throws {
        try bed.engine.drain(
            DestinationKey(address: .parse("10.0.2.12"), port: 80), of: Self.key,
            milliseconds: UInt64(seconds) * 1000, then: ending)
    }

    private func status(_ bed: TestDirector) throws -> DrainStatus {
        try #require(
            bed.engine.drainStatus(
                DestinationKey(address: .parse("10.0.2.12"), port: 80), of: Self.key, most: 10))
    }

    private func fromServer(_ flags: TCPFlags) -> PacketBuilder {
        TestDirector.reply(flags, from: "10.0.2.12:80").setting(\.sourceMAC, TestDirector.server(12))
    }

    private func server(_ sent: [TestDirector.Sent]) throws -> Endpoint {
        try #require(sent.first.flatMap { PacketSummary(frame: $0.bytes) }).destination
    }

    /// Sequence and acknowledgement number of a segment.
    private static func numbers(_ sequence: UInt32, _ acknowledgement: UInt32?) -> PacketCheck {
        PacketCheck { summary in
            func word(_ offset: Int) -> UInt32 {
                summary.segment[offset..<(offset + 4)].reduce(0) { $0 << 8 | UInt32($1) }
            }
            var problems = word(4) == sequence ? [] : ["sequence is \(word(4)), not \(sequence)"]
            if let acknowledgement, word(8) != acknowledgement {
                problems.append("acknowledgement is \(word(8)), not \(acknowledgement)")
            }
            return problems
        }
    }

    /// While it lasts: what is open goes on, what is new goes elsewhere, also of clients that a template led here.
    @Test func nothingNewComes() throws {
        let bed = try bed(persistence: Persistence(timeout: 3000, prefixLength: 32))
        try drain(bed, seconds: 30, .reset)
        for port in UInt16(2000)..<2004 {
            #expect(try server(bed.receive(TestDirector.request(.syn, port: port).frame())) == "10.0.2.11:80")
        }
        #expect(try server(bed.receive(TestDirector.request(.ack).frame())) == "10.0.2.12:80")
        #expect(try status(bed).phase == .waiting && status(bed).open == 1)
    }

    /// A port used again comes to another server without a dropped packet, whatever state its old entry is in.
    @Test func aPortUsedAgainGoesElsewhere() throws {
        let bed = try bed()
        try drain(bed, seconds: 30, .reset)
        #expect(try server(bed.receive(TestDirector.request(.syn).frame())) == "10.0.2.11:80")
        #expect(try server(bed.receive(TestDirector.request(.syn).frame())) == "10.0.2.11:80")
        #expect(bed.counters.total(.drop) == 0 && bed.isAccountedFor)
        _ = bed.advance(seconds: 1)
        #expect(try status(bed).phase == .done && status(bed).cut == 0)
    }

    @Test func connectionsThatCloseAreWaitedFor() throws {
        let bed = try bed()
        try drain(bed, seconds: 30, .reset)
        _ = bed.receive(TestDirector.request([.fin, .ack]).frame())
        _ = bed.advance(seconds: 1)
        #expect(try status(bed).phase == .waiting, "the server may still have something to say")
        _ = bed.receive(fromServer([.fin, .ack]).frame(), interface: 1)
        _ = bed.advance(seconds: 1)
        #expect(try status(bed).phase == .done && status(bed).cut == 0)
    }

    /// The client's next segment resets both ends, at the numbers that each expects.
    @Test(arguments: [ForwardingMethod.masquerading, .directRouting])
    func theClientsNextSegmentResetsBoth(method: ForwardingMethod) throws {
        let bed = try bed(method)
        try drain(bed, seconds: 2, .reset)
        let probes = bed.advance(seconds: 2.2)
        #expect(try status(bed).phase == .cutting && probes.count == 1)
        let request = TestDirector.request([.ack, .psh]).setting(\.sequence, 5555).setting(\.acknowledgement, 7777)
            .setting(\.payload, [1, 2, 3]).setting(\.transportOptions, [1, 1, 1, 1])
        let sent = bed.receive(request.frame())
        #expect(sent.count == 2 && sent.map(\.interface) == [0, 1])
        #expect(
            PacketCheck.problems(
                sent[0].bytes, .from(TestDirector.virtual), .to(TestDirector.client), .flags(.rst), .checksumsRight,
                .payload([]), Self.numbers(7777, nil)) == [])
        let destination: Endpoint = method == .masquerading ? "10.0.2.12:80" : TestDirector.virtual
        #expect(
            PacketCheck.problems(
                sent[1].bytes, .from(TestDirector.client), .to(destination), .flags([.rst, .ack]), .checksumsRight,
                .payload([]), .packetLength(40), Self.numbers(5555, 7777),
                .macs(from: TestDirector.eth1, to: TestDirector.server(12))) == [])
        #expect(bed.isAccountedFor)
        _ = bed.advance(seconds: 1.2)
        let status = try status(bed)
        #expect(status.phase == .done && status.cut == 1 && status.silent == 0)
        _ = bed.advance(seconds: 12)
        #expect(bed.entries.isEmpty)
    }

    @Test func theServersNextSegmentResetsBoth() throws {
        let bed = try bed()
        try drain(bed, seconds: 2, .reset)
        _ = bed.advance(seconds: 2.2)
        let reply = fromServer(.ack).setting(\.sequence, 8888).setting(\.acknowledgement, 6666)
            .setting(\.payload, [UInt8](repeating: 1, count: 1000))
        let sent = bed.receive(reply.frame(), interface: 1)
        #expect(sent.count == 2)
        #expect(
            PacketCheck.problems(
                sent[0].bytes, .from(TestDirector.client), .to("10.0.2.12:80"), .flags(.rst), .checksumsRight,
                .payload([]), Self.numbers(6666, nil)) == [])
        #expect(
            PacketCheck.problems(
                sent[1].bytes, .from(TestDirector.virtual), .to(TestDirector.client), .flags([.rst, .ack]),
                .checksumsRight, .payload([]), Self.numbers(8888, 6666)) == [])
        #expect(bed.isAccountedFor)
    }

    /// A silent client is asked once a second; its answer has the numbers.
    @Test func aSilentClientIsAsked() throws {
        let bed = try bed()
        try drain(bed, seconds: 2, .reset)
        let asked = bed.advance(seconds: 2.2)
        #expect(
            asked.count == 1
                && PacketCheck.problems(
                    asked[0].bytes, .from(TestDirector.virtual), .to(TestDirector.client), .flags(.ack),
                    .checksumsRight, .payload([]), Self.numbers(0, 0)) == []
        )
        #expect(bed.advance(seconds: 1).count == 1)
        let answer = TestDirector.request(.ack).setting(\.sequence, 111).setting(\.acknowledgement, 222)
        #expect(bed.receive(answer.frame()).count == 2)
        #expect(bed.advance(seconds: 2).isEmpty)
        #expect(try status(bed).phase == .done && status(bed).silent == 0)
    }

    /// Who does not answer is forgotten after three seconds; what it says then is answered as by any host.
    @Test func whoDoesNotAnswerIsForgotten() throws {
        let bed = try bed()
        try drain(bed, seconds: 2, .reset)
        #expect(bed.advance(seconds: 7).count == 3)
        let status = try status(bed)
        #expect(status.phase == .done && status.cut == 1 && status.silent == 1 && bed.entries.isEmpty)
        let sent = bed.receive(TestDirector.request(.ack).setting(\.acknowledgement, 99).frame(), asHost: false)
        #expect(
            sent.count == 1
                && PacketCheck.problems(sent[0].bytes, .flags(.rst), .to(TestDirector.client), Self.numbers(99, nil))
                    == []
        )
        let counts = try #require(bed.engine.services().first?.destinations.first { $0.destination.weight == 0 })
        #expect(counts.activeConnections == 0 && counts.inactiveConnections == 0)
    }

    /// Half-open connections and datagrams have nobody to reset: their entries end.
    @Test func whatCannotBeResetEnds() throws {
        let bed = try TestDirector()
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53", "10.0.2.12:53"])
        let frame = PacketBuilder.udp(from: TestDirector.client, to: "203.0.113.80:53", payload: [1]).frame()
        #expect(try server(bed.receive(frame)) == "10.0.2.12:53")
        let key = TestDirector.key("203.0.113.80:53", IPProtocol.udp)
        let server12 = DestinationKey(address: .parse("10.0.2.12"), port: 53)
        try bed.engine.drain(server12, of: key, milliseconds: 1000, then: .reset)
        #expect(try server(bed.receive(frame)) == "10.0.2.12:53", "until the deadline")
        _ = bed.advance(seconds: 3)
        #expect(try server(bed.receive(frame)) == "10.0.2.11:53")
        let status = try #require(bed.engine.drainStatus(server12, of: key, most: 1))
        #expect(status.phase == .done && status.cut == 1)
    }

    /// Reassignment: nothing is sent; the next SYN, or datagram, goes to another server.
    @Test func reassignmentForgetsConnections() throws {
        let bed = try bed()
        try drain(bed, seconds: 2, .reassign)
        #expect(bed.advance(seconds: 4).isEmpty)
        let status = try status(bed)
        #expect(status.phase == .done && status.cut == 1 && bed.entries.isEmpty)
        #expect(try server(bed.receive(TestDirector.request(.syn).frame())) == "10.0.2.11:80")
    }

    /// Connections of other servers are left alone.
    @Test func othersGoOn() throws {
        let bed = try bed()
        _ = bed.receive(TestDirector.request(.syn, port: 3000).frame())
        _ = bed.receive(TestDirector.request(.ack, port: 3000).frame())
        try drain(bed, seconds: 1, .reset)
        _ = bed.advance(seconds: 8)
        #expect(bed.entries.map(\.clientPort) == [3000])
        #expect(try server(bed.receive(TestDirector.request(.ack, port: 3000).frame())) == "10.0.2.11:80")
    }
}
