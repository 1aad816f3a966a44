import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct FullNATPlainTests {
    /// As the long way rewrites, which does not touch the TTL, byte for byte.
    @Test(arguments: [PacketBuilder.Transport.tcp(.ack), .udp], [ChecksumState.complete, .partial])
    func rewritesAsTheLongWay(transport: PacketBuilder.Transport, state: ChecksumState) throws {
        var random = SeededRandom(seed: 11)
        for round in 0..<300 {
            let connection = try FullNATConnection(&random, .v4, transport)
            for isRequest in [true, false] {
                let frame = PacketBuilder(
                    from: isRequest ? connection.client : connection.destination,
                    to: isRequest ? connection.virtual : connection.local, transport,
                    payload: random.bytes(random.pick([0, 1, 33]))
                )
                .setting(\.sequence, UInt32(truncatingIfNeeded: random.next()))
                .setting(\.acknowledgement, UInt32(truncatingIfNeeded: random.next()))
                .setting(\.transportChecksum, state == .partial ? .partial : random.pick([.right, .wrong]))
                .frame()
                let heap = HeapPacket(frame)
                let short: [UInt8]? = withExtendedLifetime(heap) {
                    guard let packet = PlainPacket(plainV4: heap.bytes),
                        let shift = FullNAT.steadyShift(
                            heap.bytes, packet, connection.entry, isRequest: isRequest)
                    else { return nil }
                    FullNAT.forward(
                        heap.bytes, packet, connection.entry, state, isRequest: isRequest, shift: shift)
                    return heap.array
                }
                // Of random addresses some are no hosts'.
                guard let short else { continue }
                let long = HeapPacket(try connection.rewritten(frame, isRequest ? .request : .reply, state))
                withExtendedLifetime(long) {
                    IPv4Header(unchecked: long.bytes.dropping(EthernetHeader.length)).decrementTimeToLive()
                    #expect(short == long.array, "round \(round), request \(isRequest)")
                }
            }
        }
    }

    /// A connection whose client's first byte has number 501 and whose server's has 9001.
    private func entry(_ carrier: ClientAddressCarrier, _ flags: EntryFlags) throws -> (OneWorkerTable, ConnectionEntry)
    {
        let bed = OneWorkerTable(entries: 1024)
        let entry = try #require(bed.make(.numbered(1, .fullNAT)))
        let local = LocalEndpoint(address: IPAddress(v4: 0x0a00_02c8), port: 1024)
        entry.bind(
            FullNATBinding(
                local: local, carrier: carrier, sequenceOffset: 100,
                firstSequence: carrier == .tcpOption ? 9001 : 501))
        entry.set(flags)
        return (bed, entry)
    }

    private func shift(
        _ carrier: ClientAddressCarrier, _ flags: EntryFlags, isRequest: Bool, _ builder: PacketBuilder
    ) throws -> UInt32? {
        let (bed, entry) = try entry(carrier, flags)
        let heap = HeapPacket(builder.frame())
        return try withExtendedLifetime((bed, heap)) {
            let packet = try #require(PlainPacket(plainV4: heap.bytes))
            return FullNAT.steadyShift(heap.bytes, packet, entry, isRequest: isRequest)
        }
    }

    private static let segment = PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", .ack)
    private static let datagram = PacketBuilder.udp(from: "198.51.100.1:40000", to: "203.0.113.80:53")

    @Test func segmentsAreMovedByTheConnectionsOffset() throws {
        #expect(try shift(.none, .none, isRequest: true, Self.segment) == 100)
        #expect(try shift(.none, .none, isRequest: false, Self.segment) == 100)
        let options = Self.segment.setting(\.transportOptions, [1, 1, 1, 1])
        #expect(try shift(.none, .none, isRequest: true, options) == 100)
        #expect(try shift(.none, .none, isRequest: false, options) == nil, "SACK blocks may be among them")
    }

    @Test func theOptionIsAddedWhereOnlyTheSYNIsAcknowledged() throws {
        for (flags, number, isRequest, wanted) in [
            (EntryFlags.serverKnown, 9001 as UInt32, true, nil as UInt32?), (.serverKnown, 9002, true, 100),
            (.none, 9001, true, 100), (.serverKnown, 9001, false, 100),
        ] {
            let builder = Self.segment.setting(\.acknowledgement, number)
            #expect(try shift(.tcpOption, flags, isRequest: isRequest, builder) == wanted, "\(flags) \(number)")
        }
    }

    @Test func theHeaderCountsOnceItHasArrived() throws {
        for isRequest in [true, false] {
            #expect(try shift(.proxyProtocol, .none, isRequest: isRequest, Self.segment) == nil)
            #expect(try shift(.proxyProtocol, .headerSent, isRequest: isRequest, Self.segment) == nil)
            #expect(
                try shift(.proxyProtocol, .headerSent | .headerArrived, isRequest: isRequest, Self.segment) == 128)
        }
    }

    @Test func datagramsHaveNoNumbers() throws {
        #expect(try shift(.none, .none, isRequest: true, Self.datagram) == 0)
        #expect(try shift(.proxyProtocol, .none, isRequest: true, Self.datagram) == nil, "each has the header")
        #expect(try shift(.proxyProtocol, .none, isRequest: false, Self.datagram) == 0)
    }
}
