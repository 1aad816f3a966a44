import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// For random packets: request, then the server's answer to what it was sent. The client gets its own tuple and numbers
/// back, and every checksum is what summing anew gives.
@Suite struct DirectorFullNATPropertyTests {
    @Test(arguments: FullNATParties.all, ClientAddressCarrier.allCases)
    func theClientGetsItsOwnBack(parties: FullNATParties, carrier: ClientAddressCarrier) throws {
        var random = SeededRandom(seed: 20_261_123)
        for transportProtocol in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
            let bed = try FullNATBed(parties, transportProtocol, carrier: carrier)
            for round in 0..<60 {
                let port = UInt16.random(in: 1024...UInt16.max, using: &random)
                try Self.exchange(bed, &random, port: port, "protocol \(transportProtocol), round \(round)")
            }
            #expect(bed.director.isAccountedFor)
        }
    }

    private static func exchange(
        _ bed: FullNATBed, _ random: inout SeededRandom, port: UInt16, _ comment: Comment
    ) throws {
        let isSCTP = bed.transportProtocol == IPProtocol.sctp
        let first = UInt32(truncatingIfNeeded: random.next())
        let seen = UInt32(truncatingIfNeeded: random.next())
        var sequence = first
        for step in 0..<5 {
            let payload =
                isSCTP
                ? [1, 0, 0, 8] + random.bytes(4)
                : step == 0 && bed.transportProtocol == IPProtocol.tcp
                    ? [] : random.bytes(Int.random(in: 0...1300, using: &random))
            let request = Self.request(bed, step, payload, &random, port: port)
                .setting(\.sequence, sequence).setting(\.acknowledgement, seen)
            sequence &+= UInt32(payload.count) &+ (step == 0 ? 1 : 0)
            let sent = bed.forward(request)
            for frame in sent { #expect(PacketCheck.problems(frame.bytes, .checksumsRight) == [], comment) }
            let last = try FullNATBed.summary(sent.last)
            #expect(last.destination == bed.parties.server && last.source.address == bed.parties.local, comment)
            #expect(last.payload.suffix(payload.count) == payload[...], comment)
            // The server has everything, and answers to where it came from.
            let answer = random.bytes(Int.random(in: 4...900, using: &random))
            var reply = bed.reply(
                step == 0 ? Self.first(bed.transportProtocol) : Self.later(bed.transportProtocol),
                isSCTP ? [2, 0, 0, 8] + answer.prefix(4) : step == 0 && !isSCTP && last.flags != nil ? [] : answer,
                to: last.source)
            if last.flags != nil {
                let end = last.sequence &+ UInt32(last.payload.count) &+ (step == 0 ? 1 : 0)
                reply = reply.setting(\.acknowledgement, end).setting(\.sequence, step == 0 ? seen &- 1 : seen)
            }
            let back = try FullNATBed.one(bed.back(reply))
            #expect(back.destination == request.source && back.source == bed.parties.virtual, comment)
            #expect(back.payload == reply.payload, comment)
            #expect(back.headerChecksum == .right && back.transportChecksum == .right, comment)
            if last.flags != nil { #expect(back.acknowledgement == sequence, comment) }
        }
    }

    private static func request(
        _ bed: FullNATBed, _ step: Int, _ payload: [UInt8], _ random: inout SeededRandom, port: UInt16
    ) -> PacketBuilder {
        let transport = step == 0 ? start(bed.transportProtocol) : later(bed.transportProtocol)
        var options: [UInt8] = []
        if step == 0 { options = random.pick([[], [2, 4, 5, 0xb4], [8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1]]) }
        return bed.request(transport, payload, port: port).setting(\.transportOptions, options)
            .setting(\.identification, UInt16(truncatingIfNeeded: random.next()))
            .setting(\.typeOfService, UInt8(truncatingIfNeeded: random.next()))
            .setting(\.padding, Int(random.next() % 8))
    }

    private static func start(_ transportProtocol: UInt8) -> PacketBuilder.Transport {
        transportProtocol == IPProtocol.tcp ? .tcp(.syn) : later(transportProtocol)
    }

    private static func first(_ transportProtocol: UInt8) -> PacketBuilder.Transport {
        transportProtocol == IPProtocol.tcp ? .tcp([.syn, .ack]) : later(transportProtocol)
    }

    private static func later(_ transportProtocol: UInt8) -> PacketBuilder.Transport {
        switch transportProtocol {
        case IPProtocol.tcp: .tcp([.ack, .psh])
        case IPProtocol.udp: .udp
        default: .sctp
        }
    }
}
