import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// A client's packets: entry, state, and when an entry is given up for a new one.
@Suite struct DirectorRequestTests {
    private func twoServers() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080", "10.0.2.12:8080"])
        return bed
    }

    private func server(_ sent: [TestDirector.Sent]) throws -> Endpoint {
        try #require(sent.first.flatMap { PacketSummary(frame: $0.bytes) }).destination
    }

    @Test func keepsItsServer() throws {
        let bed = try twoServers()
        let first = try server(bed.receive(TestDirector.request(.syn).frame()))
        for flags in [TCPFlags.syn, .ack, .ack, .fin] {
            #expect(try server(bed.receive(TestDirector.request(flags).frame())) == first)
        }
        #expect(bed.entries.count == 1 && bed.isAccountedFor)
    }

    /// A client's FIN in SYN_RECV makes TIME_WAIT, its RST in ESTABLISHED makes CLOSE: a SYN then begins anew.
    @Test(arguments: [(TCPFlags.fin, "TIME_WAIT"), (.rst, "CLOSE")])
    func schedulesAnewWhatIsFinished(flags: TCPFlags, state: String) throws {
        let bed = try twoServers()
        let first = try server(bed.receive(TestDirector.request(.syn).frame()))
        if flags == .rst { _ = bed.receive(TestDirector.request(.ack).frame()) }
        _ = bed.receive(TestDirector.request(flags).frame())
        #expect(bed.entries.map { Transport.tcp.name(of: $0.state) } == [state])
        let second = try server(bed.receive(TestDirector.request(.syn).frame()))
        #expect(second != first)
        #expect(bed.entries.map { Transport.tcp.name(of: $0.state) } == ["SYN_RECV"])
    }

    @Test func keepsWhatIsFinishedWhereReuseIsOff() throws {
        let bed = try twoServers()
        bed.engine.settings[.connReuseMode] = 0
        let first = try server(bed.receive(TestDirector.request(.syn).frame()))
        _ = bed.receive(TestDirector.request(.fin).frame())
        #expect(try server(bed.receive(TestDirector.request(.syn).frame())) == first)
    }

    @Test func dropsForADeletedServerAndRevivesIt() throws {
        let bed = try TestDirector()
        try bed.serve()
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        _ = bed.receive(TestDirector.request(.syn).frame())
        try bed.engine.removeDestination(DestinationKey(address: IPAddress(v4: 0x0a00_020b), port: 80), of: key)
        #expect(bed.receive(TestDirector.request(.ack).frame()).isEmpty)
        #expect(bed.counters.total(DropReason.destinationGone) == 1)
        #expect(!bed.receive(TestDirector.reply(.ack).frame(), interface: 1).isEmpty, "replies still go out")
        try bed.add("10.0.2.11:80", to: key)
        #expect(!bed.receive(TestDirector.request(.ack).frame()).isEmpty)
    }

    @Test func expiresEntriesOfADeletedServerWhereAsked() throws {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.settings[.expireNodestConn] = 1
        _ = bed.receive(TestDirector.request(.syn).frame())
        try bed.engine.removeDestination(
            DestinationKey(address: IPAddress(v4: 0x0a00_020b), port: 80),
            of: TestDirector.key(TestDirector.virtual, IPProtocol.tcp))
        bed.begin()
        #expect(bed.entries.isEmpty)
    }

    /// With `expire_nodest_conn` a SYN that uses an open connection's port again is scheduled anew when its real server is
    /// quiesced or deleted: the SYN itself is not dropped (the kernel's one-second delay).
    @Test(arguments: [true, false])
    func aPortUsedAgainIsScheduledAnewWithoutADrop(isQuiesced: Bool) throws {
        let bed = try twoServers()
        bed.engine.settings[.expireNodestConn] = 1
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        let first = try server(bed.receive(TestDirector.request(.syn).frame()))
        _ = bed.receive(TestDirector.request(.ack).frame())
        let destination = DestinationKey(address: first.address, port: first.port)
        if isQuiesced {
            try bed.engine.editDestination(Destination(key: destination, method: .masquerading, weight: 0), of: key)
        } else {
            try bed.engine.removeDestination(destination, of: key)
        }
        #expect(try server(bed.receive(TestDirector.request(.syn).frame())) != first)
        #expect(bed.counters.total(.drop) == 0 && bed.entries.count == 1 && bed.isAccountedFor)
    }

    @Test func countsForServiceAndServer() throws {
        let bed = try TestDirector()
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.receive(TestDirector.reply([.syn, .ack]).frame(), interface: 1)
        _ = bed.advance(seconds: 4)
        let status = try #require(bed.engine.services().first)
        #expect(status.counters.connections == 1 && status.counters.inPackets == 1 && status.counters.outPackets == 1)
        #expect(status.counters.inBytes == 40 && status.counters.outBytes == 40)
    }
}
