import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct MasqueradingTests {
    private static func rewritten(
        _ frame: [UInt8], _ entry: ConnectionEntry, _ direction: FlowDirection, _ state: ChecksumState = .complete
    ) throws -> [UInt8] {
        let heap = HeapPacket(frame)
        let packet = try describe(heap.bytes, isV4: entry.client.isV4)
        if direction == .request {
            Masquerading.rewriteRequest(heap.bytes, packet, entry, state)
        } else {
            Masquerading.rewriteReply(heap.bytes, packet, entry, state)
        }
        #expect(heap.isIntactAround)
        return heap.array
    }

    /// Request and reply of random connections: the server and the client see their own tuples, nothing else changes, and
    /// every checksum is what summing anew gives.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp(.ack), .udp, .sctp])
    func bothWaysAreTranslated(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 20_261_123)
        for round in 0..<400 {
            let connection = try NATConnection(&random, family, transport)
            // SCTP chunks are of four bytes and more; TCP and UDP payloads may be of any length, odd ones too.
            let isSCTP = connection.entry.transportProtocol == IPProtocol.sctp
            let payload =
                isSCTP ? [0, 0, 0, 8] + random.bytes(4) : random.bytes(Int.random(in: 0...90, using: &random))
            let request = try Self.rewritten(
                connection.request(payload).setting(\.padding, round % 7).frame(), connection.entry, .request)
            let problems = PacketCheck.problems(
                request, .from(connection.client), .to(connection.destination), .checksumsRight, .timeToLive(64),
                .payload(payload))
            #expect(problems == [], "round \(round)")
            let reply = try Self.rewritten(connection.reply(payload).frame(), connection.entry, .reply)
            let answers = PacketCheck.problems(
                reply, .from(connection.virtual), .to(connection.client), .checksumsRight, .payload(payload))
            #expect(answers == [], "round \(round)")
        }
    }

    /// The translated packet is the one that would have been built with these addresses, byte for byte.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp([.syn, .ack]), .udp, .sctp])
    func nothingElseChanges(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 8)
        for _ in 0..<200 {
            let connection = try NATConnection(&random, family, transport)
            let builder = connection.request([0, 0, 0, 6, 1, 2]).setting(\.typeOfService, 0x28).setting(
                \.identification, 4711)
            let request = try Self.rewritten(builder.frame(), connection.entry, .request)
            #expect(request == builder.setting(\.destination, connection.destination).frame())
            let answer = connection.reply([0, 0, 0, 5, 9])
            #expect(
                try Self.rewritten(answer.frame(), connection.entry, .reply)
                    == answer.setting(\.source, connection.virtual).frame())
        }
    }

    /// A partial checksum stays one: the pseudo-header's sum with the new address, ports not in it.
    @Test(arguments: [AddressFamily.v4, .v6], [PacketBuilder.Transport.tcp(.ack), .udp])
    func partialChecksumsStayPartial(family: AddressFamily, transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 9)
        for _ in 0..<300 {
            let connection = try NATConnection(&random, family, transport)
            let builder = connection.request([1, 2, 3]).setting(\.transportChecksum, .partial)
            let request = try Self.rewritten(builder.frame(), connection.entry, .request, .partial)
            let wanted = builder.setting(\.destination, connection.destination)
            #expect(request == wanted.frame() || isSameSum(request, wanted.frame(), family, transport))
            let answer = connection.reply([1]).setting(\.transportChecksum, .partial)
            let reply = try Self.rewritten(answer.frame(), connection.entry, .reply, .partial)
            let wantedReply = answer.setting(\.source, connection.virtual)
            #expect(reply == wantedReply.frame() || isSameSum(reply, wantedReply.frame(), family, transport))
        }
    }

    /// Zero and all ones are the same ones' complement sum.
    private func isSameSum(
        _ left: [UInt8], _ right: [UInt8], _ family: AddressFamily, _ transport: PacketBuilder.Transport
    ) -> Bool {
        var left = left
        var right = right
        var offset = 14 + (family == .v4 ? 20 : 40) + 6
        if case .tcp = transport { offset += 10 }
        for place in [offset, offset + 1] where left[place] == 0xff && right[place] == 0 { left[place] = 0 }
        for place in [offset, offset + 1] where right[place] == 0xff && left[place] == 0 { right[place] = 0 }
        return left == right
    }

    /// BEHAVIOUR.md 3: a UDP checksum of 0 becomes the full, correct one, both ways, IPv4 and IPv6.
    @Test(arguments: [AddressFamily.v4, .v6]) func aMissingUDPChecksumIsComputed(family: AddressFamily) throws {
        var random = SeededRandom(seed: 10)
        for _ in 0..<200 {
            let connection = try NATConnection(&random, family, .udp)
            let payload = random.bytes(Int.random(in: 0...33, using: &random))
            for (builder, direction) in [
                (connection.request(payload), FlowDirection.request), (connection.reply(payload), .reply),
            ] {
                let frame = try Self.rewritten(
                    builder.setting(\.transportChecksum, .zero).setting(\.padding, 5).frame(), connection.entry,
                    direction)
                #expect(PacketCheck.problems(frame, .transportChecksum(.right), .checksumsRight) == [])
            }
        }
    }

    /// A sum that comes out as zero is written as all ones, for zero would mean none (RFC 768).
    @Test func aUDPChecksumNeverBecomesZero() throws {
        var random = SeededRandom(seed: 11)
        let connection = try NATConnection(&random, .v4, .udp)
        var met = false
        for word in UInt16.min...UInt16.max {
            let frame = try Self.rewritten(connection.request(word.networkBytes).frame(), connection.entry, .request)
            let field = Array(frame[40..<42])
            if field == [0, 0] { Issue.record("zero for \(word)") }
            if field == [0xff, 0xff] {
                met = true
                #expect(PacketCheck.problems(frame, .transportChecksum(.right)) == [])
            }
            if met { break }
        }
        #expect(met)
    }

    /// BEHAVIOUR.md 1 (4): a wrong checksum stays wrong by the same amount; SCTP's is repaired where the port changes.
    @Test(arguments: [PacketBuilder.Transport.tcp(.ack), .udp]) func aWrongChecksumStaysWrong(
        transport: PacketBuilder.Transport
    ) throws {
        var random = SeededRandom(seed: 12)
        let connection = try NATConnection(&random, .v4, transport)
        let builder = connection.request([1, 2, 3, 4]).setting(\.transportChecksum, .wrong)
        let frame = try Self.rewritten(builder.frame(), connection.entry, .request)
        #expect(frame == builder.setting(\.destination, connection.destination).frame())
        #expect(PacketCheck.problems(frame, .transportChecksum(.wrong)) == [])
    }

    @Test func aWrongSCTPChecksumIsRepairedWithThePort() throws {
        let bed = OneWorkerTable()
        for (port, verdict) in [(UInt16(5001), PacketSummary.ChecksumVerdict.right), (5000, .wrong)] {
            let entry = try #require(
                bed.add(
                    .of(
                        Endpoint(IPAddress(v4: 0xc633_6401), port), "203.0.113.80:5000",
                        Endpoint(IPAddress(v4: 0x0a00_020b), port), transportProtocol: IPProtocol.sctp)))
            let builder = PacketBuilder.sctp(
                from: Endpoint(IPAddress(v4: 0xc633_6401), port), to: "203.0.113.80:5000", chunk: 1)
            let frame = try Self.rewritten(
                builder.setting(\.transportChecksum, .wrong).frame(), entry, .request)
            #expect(PacketCheck.problems(frame, .transportChecksum(verdict)) == [])
        }
    }

    @Test func optionsAndExtensionHeadersAreLeft() throws {
        var random = SeededRandom(seed: 13)
        let four = try NATConnection(&random, .v4, .tcp(.ack))
        let withOptions = four.request([7]).setting(\.options, [1, 1, 1, 0]).setting(
            \.transportOptions, [2, 4, 5, 0xb4])
        #expect(
            try Self.rewritten(withOptions.frame(), four.entry, .request)
                == withOptions.setting(\.destination, four.destination).frame())
        let six = try NATConnection(&random, .v6, .tcp(.ack))
        var extended = six.request([7])
        extended.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        let frame = try Self.rewritten(extended.frame(), six.entry, .request)
        #expect(frame == extended.setting(\.destination, six.destination).frame())
        #expect(PacketCheck.problems(frame, .to(six.destination), .checksumsRight) == [])
    }
}
