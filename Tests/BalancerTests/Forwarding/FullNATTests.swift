import TestSupport
import Testing
import Wire

@testable import Balancer

/// A random FULLNAT connection within one family.
struct FullNATConnection {
    let bed = OneWorkerTable()
    let client: Endpoint
    let virtual: Endpoint
    let destination: Endpoint
    let local: Endpoint
    let offset: UInt32
    let transport: PacketBuilder.Transport
    let entry: ConnectionEntry

    init(_ random: inout SeededRandom, _ family: AddressFamily, _ transport: PacketBuilder.Transport) throws {
        func endpoint() -> Endpoint {
            Endpoint(random.address(family), UInt16.random(in: 1...UInt16.max, using: &random))
        }
        (client, virtual, destination, local) = (endpoint(), endpoint(), endpoint(), endpoint())
        offset = UInt32(truncatingIfNeeded: random.next())
        self.transport = transport
        let number = PacketBuilder(from: client, to: virtual, transport).transportProtocol
        let fields = EntryFields.of(client, virtual, destination, .fullNAT, transportProtocol: number)
        let made = try #require(bed.make(fields))
        made.bind(
            FullNATBinding(local: LocalEndpoint(address: local.address, port: local.port), sequenceOffset: offset))
        let insertion = bed.table.insert(made)
        guard case .inserted = insertion else { throw NotClassified() }
        entry = made
    }

    func rewritten(_ frame: [UInt8], _ direction: FlowDirection, _ state: ChecksumState = .complete) throws -> [UInt8] {
        let heap = HeapPacket(frame)
        return try withExtendedLifetime(heap) {
            let packet = try describe(heap.bytes, isV4: client.address.isV4)
            if direction == .request {
                let addresses = FullNAT.readdressRequest(heap.bytes, packet, entry)
                FullNAT.rewriteRequest(
                    heap.bytes, packet, entry, state, addresses: addresses, shift: offset, segmentLimit: Int.max)
            } else {
                let addresses = FullNAT.readdressReply(heap.bytes, packet, entry)
                FullNAT.rewriteReply(heap.bytes, packet, entry, state, addresses: addresses)
            }
            #expect(heap.isIntactAround)
            return heap.array
        }
    }
}

@Suite struct FullNATTests {
    /// The packet that leaves is, byte for byte, the one that would have been built with these addresses and numbers:
    /// nothing else changes, and every checksum is what summing anew gives.
    @Test(
        arguments: [AddressFamily.v4, .v6],
        [PacketBuilder.Transport.tcp(.ack), .tcp([.ack, .psh, .fin]), .tcp(.rst), .udp, .sctp])
    func requestAndReplyAreTranslated(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 20_261_123)
        for round in 0..<300 {
            let connection = try FullNATConnection(&random, family, transport)
            let isSCTP = connection.entry.transportProtocol == IPProtocol.sctp
            let payload =
                isSCTP ? [0, 0, 0, 8] + random.bytes(4) : random.bytes(Int.random(in: 0...90, using: &random))
            let sequence = UInt32(truncatingIfNeeded: random.next())
            let other = UInt32(truncatingIfNeeded: random.next())
            let request = PacketBuilder(
                from: connection.client, to: connection.virtual, transport, payload: payload
            ).setting(\.sequence, sequence).setting(\.acknowledgement, other)
            let wanted = PacketBuilder(
                from: connection.local, to: connection.destination, transport, payload: payload
            ).setting(\.sequence, sequence &+ connection.offset).setting(\.acknowledgement, other)
            #expect(try connection.rewritten(request.frame(), .request) == wanted.frame(), "round \(round)")
            var hasAcknowledgement = false
            if case .tcp(let flags) = transport { hasAcknowledgement = flags.contains(.ack) }
            let reply = PacketBuilder(
                from: connection.destination, to: connection.local, transport, payload: payload
            ).setting(\.sequence, other).setting(\.acknowledgement, sequence)
            let answer = PacketBuilder(
                from: connection.virtual, to: connection.client, transport, payload: payload
            ).setting(\.sequence, other)
                .setting(\.acknowledgement, hasAcknowledgement ? sequence &- connection.offset : sequence)
            #expect(try connection.rewritten(reply.frame(), .reply) == answer.frame(), "round \(round)")
        }
    }

    /// Options at odd places and of odd lengths: SACK blocks, timestamps, segment size, and broken ones.
    @Test(arguments: [AddressFamily.v4, .v6]) func optionsKeepTheChecksumRight(family: AddressFamily) throws {
        var random = SeededRandom(seed: 3)
        for round in 0..<400 {
            var options: [UInt8] = []
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                options += random.pick([
                    [1], [2, 4] + random.bytes(2), [3, 3, 7], [4, 2], [8, 10] + random.bytes(8),
                    [5, 10] + random.bytes(8),
                    [5, 18] + random.bytes(16), [34, 2], [30, 1], [0],
                ])
            }
            options = Array(options.prefix(40))
            while options.count % 4 != 0 { options.append(UInt8(round & 1)) }
            for flags in [TCPFlags.syn, .ack, [.syn, .ack]] {
                let connection = try FullNATConnection(&random, family, .tcp(flags))
                let request = PacketBuilder(from: connection.client, to: connection.virtual, .tcp(flags), payload: [1])
                    .setting(\.transportOptions, options)
                let sent = try connection.rewritten(request.frame(), .request)
                #expect(PacketCheck.problems(sent, .checksumsRight, .payload([1])) == [], "round \(round) \(options)")
                let reply = PacketBuilder(
                    from: connection.destination, to: connection.local, .tcp(flags), payload: [1]
                ).setting(\.transportOptions, options)
                let back = try connection.rewritten(reply.frame(), .reply)
                #expect(PacketCheck.problems(back, .checksumsRight, .payload([1])) == [], "round \(round) \(options)")
            }
        }
    }

    /// A partial checksum stays one.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp(.ack), .udp])
    func partialChecksumsStayPartial(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 9)
        for _ in 0..<300 {
            let connection = try FullNATConnection(&random, family, transport)
            let request = PacketBuilder(from: connection.client, to: connection.virtual, transport, payload: [1, 2, 3])
                .setting(\.transportChecksum, .partial)
            let sent = try connection.rewritten(request.frame(), .request, .partial)
            #expect(PacketCheck.problems(sent, .to(connection.destination), .transportChecksum(.partial)) == [])
            let reply = PacketBuilder(from: connection.destination, to: connection.local, transport, payload: [1])
                .setting(\.transportChecksum, .partial)
            let back = try connection.rewritten(reply.frame(), .reply, .partial)
            #expect(PacketCheck.problems(back, .to(connection.client), .transportChecksum(.partial)) == [])
        }
    }

    /// The reply's key is the local address's; the client's key finds the request; both are gone with the entry.
    @Test(arguments: [AddressFamily.v4, .v6]) func entriesAreFoundByTheLocalPort(family: AddressFamily) throws {
        var random = SeededRandom(seed: 4)
        let connection = try FullNATConnection(&random, family, .tcp(.ack))
        let table = connection.bed.table
        let index = connection.entry.index
        let reply = FlowKey.between(connection.destination, connection.local)
        #expect(table.found(reply) == Found(index: index, direction: .reply))
        #expect(
            table.found(.between(connection.client, connection.virtual)) == Found(index: index, direction: .request))
        #expect(table.found(.between(connection.destination, connection.client)) == nil)
        connection.bed.end(connection.entry)
        #expect(table.found(reply) == nil)
    }

    /// An IPv4 connection of FULLNAT needs nothing beyond its 64 + 32 bytes, and its sequence number is not taken for
    /// controlled entries.
    @Test func theReferenceIsNoCount() throws {
        var random = SeededRandom(seed: 5)
        let connection = try FullNATConnection(&random, .v4, .tcp(.ack))
        connection.entry.reference = 0xdead_beef
        #expect(connection.entry.controlled == 0 && connection.entry.reference == 0xdead_beef)
        #expect(MemoryLayout<HotEntry>.stride == 64 && MemoryLayout<ColdEntry>.stride == 32)
    }

    /// Numbers inside the header that the client does not know of become its first byte.
    @Test func mappingNeverGoesBelowTheFirstByte() {
        let mapping = SequenceMapping(offset: 100, first: 1101, pending: 28)
        #expect(mapping.clients(1100) == 1000)
        #expect(mapping.clients(1101) == 1001)
        #expect(mapping.clients(1110) == 1001)
        #expect(mapping.clients(1129) == 1001)
        #expect(mapping.clients(1130) == 1002)
        #expect(SequenceMapping(offset: 128).clients(1130) == 1002)
    }
}
