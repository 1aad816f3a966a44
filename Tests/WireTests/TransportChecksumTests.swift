import TestSupport
import Testing
import Wire

@Suite struct TransportChecksumTests {
    /// NAT of the destination and both ports, as a forwarding method does it.
    private static func rewrite(_ bytes: PacketBytes, to target: PacketBuilder, state: ChecksumState) throws {
        let (difference, payload): (UInt64, PacketBytes)
        if bytes[0] >> 4 == 4 {
            let header = try #require(IPv4Header(bytes))
            difference = Checksum.add(
                header.setDestination(target.destination.address), header.setSource(target.source.address))
            header.decrementTimeToLive()
            payload = header.payload
        } else {
            let header = try #require(IPv6Header(bytes))
            difference = Checksum.add(
                header.setDestination(target.destination.address), header.setSource(target.source.address))
            header.decrementHopLimit()
            payload = header.payload
        }
        let isUDP = target.transportProtocol == IPProtocol.udp
        let ports = UDPHeader(unchecked: payload)
        let fields = Checksum.add(
            Checksum.difference(from: ports.sourcePort, to: target.source.port),
            Checksum.difference(from: ports.destinationPort, to: target.destination.port))
        ports.sourcePort = target.source.port
        ports.destinationPort = target.destination.port
        let offset = isUDP ? UDPHeader.checksumOffset : TCPHeader.checksumOffset
        TransportChecksum.adjust(payload, at: offset, state: state, addresses: difference, fields: fields)
        if isUDP { ports.normalizeChecksum() }
    }

    private static func pair(_ random: inout SeededRandom) -> (PacketBuilder, PacketBuilder) {
        let family: AddressFamily = random.pick([.v4, .v6])
        func endpoint() -> Endpoint { Endpoint(random.address(family), UInt16(random.next() >> 48)) }
        let original = PacketBuilder(
            from: endpoint(), to: endpoint(), random.pick([.tcp(.ack), .udp]),
            payload: random.bytes(Int.random(in: 0...70, using: &random))
        ).setting(\.timeToLive, UInt8.random(in: 1...255, using: &random))
        let target =
            original
            .setting(\.source, endpoint()).setting(\.destination, endpoint())
            .setting(\.timeToLive, original.timeToLive - 1)
        return (original, target)
    }

    @Test func adjustingTenThousandPacketsEqualsBuildingThemAnew() throws {
        var random = SeededRandom(seed: 0xfa1e)
        for round in 0..<10_000 {
            let (original, target) = Self.pair(&random)
            let rewritten = try HeapPacket.changing(original.packet()) { bytes in
                try Self.rewrite(bytes, to: target, state: .complete)
            }
            try #require(rewritten == target.packet(), "seed \(random.seed), round \(round): \(original)")
        }
    }

    @Test func partialChecksumsFollowTheAddressesOnly() throws {
        var random = SeededRandom(seed: 0x9a27)
        for round in 0..<3_000 {
            let (original, target) = Self.pair(&random)
            let partial = original.setting(\.transportChecksum, .partial)
            let rewritten = try HeapPacket.changing(partial.packet()) { bytes in
                try Self.rewrite(bytes, to: target, state: .partial)
            }
            let wanted = target.setting(\.transportChecksum, .partial).packet()
            try #require(rewritten == wanted, "seed \(random.seed), round \(round): \(original)")
        }
    }

    @Test func completingAPartialChecksumEqualsSummingAnew() throws {
        var random = SeededRandom(seed: 0xc0de)
        for round in 0..<3_000 {
            let (original, _) = Self.pair(&random)
            let isUDP = original.transportProtocol == IPProtocol.udp
            let partial = original.setting(\.transportChecksum, .partial).segment()
            let completed = HeapPacket.changing(partial) { bytes in
                TransportChecksum.complete(
                    bytes, at: isUDP ? UDPHeader.checksumOffset : TCPHeader.checksumOffset, isUDP: isUDP)
            }
            try #require(completed == original.segment(), "seed \(random.seed), round \(round): \(original)")
        }
    }

    @Test func fillingEqualsSummingAnew() throws {
        var random = SeededRandom(seed: 0xf111)
        for round in 0..<3_000 {
            let (original, _) = Self.pair(&random)
            let isUDP = original.transportProtocol == IPProtocol.udp
            let filled = HeapPacket.changing(original.setting(\.transportChecksum, .wrong).segment()) { bytes in
                TransportChecksum.fill(
                    bytes, at: isUDP ? UDPHeader.checksumOffset : TCPHeader.checksumOffset,
                    source: original.source.address, destination: original.destination.address,
                    transportProtocol: original.transportProtocol)
            }
            try #require(filled == original.segment(), "seed \(random.seed), round \(round): \(original)")
        }
    }

    @Test func aWrongChecksumStaysWrongByAsMuch() throws {
        var random = SeededRandom(seed: 0xbad)
        func field(_ packet: [UInt8], _ builder: PacketBuilder) -> Int {
            let transport = builder.isV6 ? 40 : 20
            let offset = transport + (builder.transportProtocol == IPProtocol.udp ? 6 : 16)
            return Int(packet[offset]) << 8 | Int(packet[offset + 1])
        }
        for round in 0..<1_000 {
            let (original, target) = Self.pair(&random)
            let wrong = original.setting(\.transportChecksum, .wrong).packet()
            let error = (field(wrong, original) - field(original.packet(), original) + 0xffff) % 0xffff
            let rewritten = try HeapPacket.changing(wrong) { try Self.rewrite($0, to: target, state: .complete) }
            let errorAfter = (field(rewritten, target) - field(target.packet(), target) + 0xffff) % 0xffff
            try #require(error == errorAfter, "seed \(random.seed), round \(round): \(original)")
        }
    }

    @Test func udpNeverSendsZero() {
        // A payload that makes the sum all ones: complete and fill must send ffff, TCP's rule is to send zero.
        let pseudo = ReferenceChecksum.pseudoHeader(
            source: [10, 0, 0, 1], destination: [10, 0, 0, 2], transportProtocol: IPProtocol.udp, length: 10)
        let header: [UInt8] = [0, 1, 0, 2, 0, 10, 0, 0]
        let filler = ~ReferenceChecksum.sum(pseudo + header)
        let datagram = header + filler.networkBytes
        let filled = HeapPacket.changing(datagram) { bytes in
            TransportChecksum.fill(
                bytes, at: 6, source: IPAddress(v4: 0x0a00_0001), destination: IPAddress(v4: 0x0a00_0002),
                transportProtocol: IPProtocol.udp)
        }
        #expect(Array(filled[6..<8]) == [0xff, 0xff])
        var partial = datagram
        partial.replaceSubrange(6..<8, with: ReferenceChecksum.sum(pseudo).networkBytes)
        #expect(HeapPacket.changing(partial) { TransportChecksum.complete($0, at: 6, isUDP: true) }[6] == 0xff)
        #expect(HeapPacket.changing(partial) { TransportChecksum.complete($0, at: 6, isUDP: false) }[6] == 0)
    }
}
