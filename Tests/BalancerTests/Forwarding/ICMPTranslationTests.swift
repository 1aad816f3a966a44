import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ICMPTranslationTests {
    private let router: [AddressFamily: Endpoint] = [.v4: "192.0.2.254", .v6: "2001:db8:ff::1"]

    /// From the servers' side: the client gets an error from the virtual address about its own packet.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp(.ack), .udp])
    func theClientGetsItsOwnPacketBack(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 31)
        let from = try #require(router[family])
        for round in 0..<200 {
            let connection = try NATConnection(&random, family, transport)
            // What the server side saw of the client's packet, cut as routers cut it.
            let seen = connection.request(random.bytes(20)).setting(\.destination, connection.destination).packet()
            let quote = Array(seen.prefix(Int.random(in: (family == .v4 ? 28 : 48)...seen.count, using: &random)))
            let error = PacketBuilder.icmp(
                from: from, to: Endpoint(connection.client.address), type: family == .v4 ? 3 : 1,
                code: family == .v4 ? 1 : 3, payload: quote)
            let frame = try translated(error.frame(), connection, family) { bytes, packet, quoted in
                #expect(quoted.key.reversed == connection.entry.replyKey)
                ICMPTranslation.rewriteReply(bytes, packet, quoted, connection.entry)
            }
            let problems = PacketCheck.problems(
                frame, .from(Endpoint(connection.virtual.address)), .to(Endpoint(connection.client.address)),
                .checksumsRight, .quoting(.from(connection.client), .to(connection.virtual), headerRight))
            #expect(problems == [], "round \(round)")
        }
    }

    /// From the client's side: the server gets an error about the packet that it sent.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp(.ack), .udp])
    func theServerGetsItsOwnPacketBack(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 32)
        let from = try #require(router[family])
        for round in 0..<200 {
            let connection = try NATConnection(&random, family, transport)
            let seen = connection.reply(random.bytes(9)).setting(\.source, connection.virtual).packet()
            let error = PacketBuilder.icmp(
                from: from, to: Endpoint(connection.virtual.address), type: family == .v4 ? 11 : 3, code: 0,
                payload: Array(seen.prefix(family == .v4 ? 28 : 48)))
            let frame = try translated(error.frame(), connection, family) { bytes, packet, quoted in
                #expect(quoted.key.reversed == connection.entry.requestKey)
                ICMPTranslation.rewriteRequest(bytes, packet, quoted, connection.entry)
            }
            let problems = PacketCheck.problems(
                frame, .from(from), .to(Endpoint(connection.destination.address)), .checksumsRight,
                .quoting(.from(connection.destination), .to(connection.client), headerRight))
            #expect(problems == [], "round \(round)")
        }
    }

    /// BEHAVIOUR.md 9: the quoted transport checksum is left as it is.
    @Test func theQuotedTransportChecksumIsLeft() throws {
        var random = SeededRandom(seed: 33)
        let connection = try NATConnection(&random, .v4, .udp)
        let seen = connection.request([1, 2]).setting(\.destination, connection.destination).packet()
        let error = PacketBuilder.icmp(
            from: "10.0.2.11", to: Endpoint(connection.client.address), type: 3, code: 3, payload: seen)
        let frame = try translated(error.frame(), connection, .v4) { bytes, packet, quoted in
            ICMPTranslation.rewriteReply(bytes, packet, quoted, connection.entry)
        }
        #expect(Array(frame.suffix(4)) == Array(seen.suffix(4)))
    }

    private var headerRight: PacketCheck {
        PacketCheck { $0.headerChecksum == .right ? [] : ["header checksum is wrong"] }
    }

    private func translated(
        _ frame: [UInt8], _ connection: NATConnection, _ family: AddressFamily,
        _ body: (PacketBytes, PacketDescription, QuotedPacket) -> Void
    ) throws -> [UInt8] {
        let heap = HeapPacket(frame)
        let packet = try describe(heap.bytes, isV4: family == .v4)
        let quoted = try #require(
            QuotedPacket(heap.bytes, at: packet.transportOffset + ICMPHeader.length, isV4: family == .v4))
        #expect(quoted.hasPorts)
        body(heap.bytes, packet, quoted)
        #expect(heap.isIntactAround)
        return heap.array
    }
}
