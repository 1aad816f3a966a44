import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// ICMP errors that belong to connections are translated with what they quote.
@Suite struct DirectorICMPTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var client: Endpoint
        var virtual: Endpoint
        var server: Endpoint
        /// Destination unreachable, port.
        var type: UInt8
        var code: UInt8
        var testDescription: String { "\(virtual)" }
    }

    static let rows = [
        Row(client: TestDirector.client, virtual: TestDirector.virtual, server: "10.0.2.11:8080", type: 3, code: 3),
        Row(
            client: TestDirector.clientV6, virtual: TestDirector.virtualV6, server: "[2001:db8:2::11]:8080", type: 1,
            code: 4),
    ]

    private func bed(_ row: Row) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(row.virtual, IPProtocol.tcp, [row.server])
        _ = bed.receive(PacketBuilder.tcp(from: row.client, to: row.virtual, .syn).frame())
        return bed
    }

    @Test(arguments: rows)
    func fromTheClient(row: Row) throws {
        let bed = try bed(row)
        let quoted = PacketBuilder.tcp(from: row.virtual, to: row.client, .ack).packet()
        let error = PacketBuilder.icmp(
            from: Endpoint(row.client.address), to: Endpoint(row.virtual.address), type: row.type, code: row.code,
            payload: quoted)
        let sent = bed.receive(error.frame())
        #expect(sent.map(\.interface) == [1])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .to(Endpoint(row.server.address)), .timeToLive(63), .checksumsRight,
                .quoting(.from(row.server), .to(row.client))) == [])
    }

    /// Anybody on the way may have sent it, a router too: the virtual address takes its place.
    @Test(arguments: rows)
    func fromTheServersSide(row: Row) throws {
        let bed = try bed(row)
        let quoted = PacketBuilder.tcp(from: row.client, to: row.server, .ack).packet()
        let router: Endpoint = row.client.address.isV4 ? "10.0.2.12" : "2001:db8:2::12"
        let error = PacketBuilder.icmp(
            from: router, to: Endpoint(row.client.address), type: row.type, code: row.code, payload: quoted
        ).setting(\.destinationMAC, TestDirector.eth1)
        let sent = bed.receive(error.frame(), interface: 1)
        #expect(sent.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from(Endpoint(row.virtual.address)), .timeToLive(63), .checksumsRight,
                .quoting(.from(row.client), .to(row.virtual))) == [])
    }

    /// From the servers' side, but to one of our addresses: the host's, and nothing is sent.
    @Test func keepsErrorsThatAreToUs() throws {
        let bed = try bed(Self.rows[0])
        let quoted = PacketBuilder.tcp(from: TestDirector.client, to: Self.rows[0].server, .ack).packet()
        let error = PacketBuilder.icmp(from: "10.0.2.11", to: "203.0.113.80", type: 3, code: 3, payload: quoted)
            .setting(\.destinationMAC, TestDirector.eth1)
        #expect(bed.receive(error.frame(), interface: 1).isEmpty)
        #expect(bed.counters.total(.pass) == 1 && bed.isAccountedFor)
    }

    /// Other types, other connections, and quotes cut before the ports are the host's.
    @Test func leavesTheRestToTheHost() throws {
        let bed = try bed(Self.rows[0])
        let quoted = PacketBuilder.tcp(from: TestDirector.virtual, to: TestDirector.client, .ack).packet()
        let unknown = PacketBuilder.tcp(from: TestDirector.virtual, to: "198.51.100.1:9", .ack).packet()
        for (type, payload) in [(UInt8(5), quoted), (12, quoted), (3, unknown), (3, Array(quoted.prefix(22)))] {
            let error = PacketBuilder.icmp(
                from: "198.51.100.1", to: "203.0.113.80", type: type, code: 1, payload: payload)
            #expect(bed.receive(error.frame()).isEmpty)
        }
        #expect(bed.counters.total(.pass) == 4 && bed.isAccountedFor)
    }
}
