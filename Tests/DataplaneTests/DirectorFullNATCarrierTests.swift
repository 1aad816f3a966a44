import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// The client's address on its way to the real server: TOA and the PROXY protocol.
@Suite struct DirectorFullNATCarrierTests {
    private static let base = FullNATBed.clientISN &+ 1

    /// The TOA option of a bed's client.
    private static func option(_ parties: FullNATParties) -> [UInt8] {
        let address = parties.client.address.wireBytes
        return [254, UInt8(4 + address.count)] + parties.client.port.networkBytes + address
    }

    /// The PROXY header of a bed's client.
    private static func header(_ parties: FullNATParties, isTCP: Bool = true) -> [UInt8] {
        let isV4 = parties.client.address.isV4
        let addresses = parties.client.address.wireBytes + parties.virtual.address.wireBytes
        let ports = parties.client.port.networkBytes + parties.virtual.port.networkBytes
        return [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21]
            + [(isV4 ? 0x10 : 0x20) | (isTCP ? 1 : 2), 0, isV4 ? 12 : 36] + addresses + ports
    }

    private static func expectRight(_ sent: [TestDirector.Sent], _ location: SourceLocation = #_sourceLocation) {
        for frame in sent {
            #expect(PacketCheck.problems(frame.bytes, .checksumsRight) == [], sourceLocation: location)
        }
    }

    // MARK: TOA

    /// Not with the SYN; with the first acknowledgement and what follows, until something of the server's is acknowledged.
    @Test(arguments: FullNATParties.all)
    func theOptionGoesWithTheFirstSegments(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .tcpOption)
        let syn = bed.forward(bed.request(.tcp(.syn)).setting(\.sequence, FullNATBed.clientISN))
        #expect(try FullNATBed.one(syn).transportOptions.isEmpty)
        let offset = try bed.open()
        for (place, payload) in [(UInt32(0), []), (0, [1, 2, 3]), (3, [4, 5]), (0, [1, 2, 3])] as [(UInt32, [UInt8])] {
            let sent = bed.forward(bed.segment(payload, at: place))
            let segment = try FullNATBed.one(sent)
            #expect(segment.transportOptions == Self.option(parties))
            #expect(segment.payload == payload && segment.sequence == Self.base &+ place &+ offset)
            Self.expectRight(sent)
        }
        let later = try FullNATBed.one(bed.forward(bed.segment([6], at: 5, seen: 10)))
        #expect(later.transportOptions.isEmpty && later.payload == [6])
    }

    /// Options that were there stay, behind it.
    @Test(arguments: FullNATParties.all)
    func theOptionStandsFirst(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .tcpOption)
        _ = try bed.open()
        let other: [UInt8] = [1, 1, 5, 10] + [UInt8](repeating: 7, count: 8)
        let sent = bed.forward(bed.segment([9]).setting(\.transportOptions, other))
        #expect(try FullNATBed.one(sent).transportOptions == Self.option(parties) + other)
        #expect(try FullNATBed.one(sent).payload == [9])
        Self.expectRight(sent)
    }

    @Test(arguments: FullNATParties.all)
    func theOptionIsLeftOutWhereItHasNoRoom(parties: FullNATParties) throws {
        let length = Self.option(parties).count
        let bed = try FullNATBed(parties, carrier: .tcpOption)
        _ = try bed.open()
        // The header's room: 40 bytes of options.
        let full = [UInt8](repeating: 1, count: 40 - length + 4)
        #expect(
            try FullNATBed.one(bed.forward(bed.segment([1]).setting(\.transportOptions, full))).transportOptions == full
        )
        let most = [UInt8](repeating: 1, count: 40 - length)
        let sent = bed.forward(bed.segment([1]).setting(\.transportOptions, most))
        #expect(try FullNATBed.one(sent).transportOptions == Self.option(parties) + most)
        // The MTU's: so many bytes of payload fit beside it, and one more does not.
        let network = parties.server.address.isV4 ? 20 : 40
        let fits = min(1500 - network - 20 - length, 1500 - (parties.client.address.isV4 ? 20 : 40) - 20)
        let long = try FullNATBed.one(bed.forward(bed.segment([UInt8](repeating: 2, count: fits))))
        #expect(long.transportOptions == Self.option(parties) && long.payload.count == fits)
        guard !parties.isNAT64 else { return }
        let longer = try FullNATBed.one(bed.forward(bed.segment([UInt8](repeating: 2, count: fits + 1))))
        #expect(longer.transportOptions.isEmpty && longer.payload.count == fits + 1)
    }

    /// A partial checksum and a super-frame: the option is in the header that each segment gets.
    @Test(arguments: FullNATParties.all)
    func theOptionGoesWithSuperFrames(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .tcpOption)
        _ = try bed.open()
        let payload = [UInt8](repeating: 3, count: 20_000)
        let six = !parties.client.address.isV4
        let sent = bed.director.receive(
            bed.segment(payload).setting(\.transportChecksum, .partial).frame(),
            offload: DirectorFullNATTests.superFrame(isV6: six, size: 1400))
        let frame = try #require(sent.first)
        var wanted = DirectorFullNATTests.superFrame(isV6: !parties.server.address.isV4, size: 1400)
        wanted.headerLength += UInt16(Self.option(parties).count)
        #expect(sent.count == 1 && frame.offload == wanted)
        #expect(try FullNATBed.one(sent).transportOptions == Self.option(parties))
        #expect(PacketCheck.problems(frame.bytes, .payload(payload), .transportChecksum(.partial)) == [])
    }

    /// The server is asked to leave room for it, and loses Fast Open, whose data would come before it.
    @Test(arguments: FullNATParties.all, [ClientAddressCarrier.tcpOption, .proxyProtocol, .none])
    func theHandshakeMakesRoom(parties: FullNATParties, carrier: ClientAddressCarrier) throws {
        let bed = try FullNATBed(parties, carrier: carrier)
        let syn = bed.forward(
            bed.request(.tcp(.syn)).setting(\.transportOptions, [34, 2, 1, 1]).setting(\.sequence, FullNATBed.clientISN)
        )
        #expect(try FullNATBed.one(syn).transportOptions == (carrier == .none ? [34, 2, 1, 1] : [1, 1, 1, 1]))
        let offered: UInt16 = 1400
        let answer = bed.back(
            bed.reply(.tcp([.syn, .ack])).setting(\.sequence, FullNATBed.serverISN)
                .setting(\.transportOptions, [2, 4] + offered.networkBytes))
        let length = UInt16(carrier == .tcpOption ? Self.option(parties).count : 0)
        #expect(try FullNATBed.one(answer).transportOptions == [2, 4] + (offered - length).networkBytes)
        Self.expectRight(syn + answer)
    }

    // MARK: PROXY protocol over TCP

    /// The acknowledgement that completes the handshake brings the header: a server may wait for it before it speaks.
    @Test(arguments: FullNATParties.all)
    func theHeaderCompletesTheHandshake(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .proxyProtocol)
        let offset = try bed.open()
        let header = Self.header(parties)
        let length = UInt32(header.count)
        let first = bed.forward(bed.segment([]))
        let segment = try FullNATBed.one(first)
        #expect(segment.payload == header && segment.sequence == Self.base &+ offset)
        Self.expectRight(first)
        // Until the server has it, it comes again with whatever stands at its place.
        let data = bed.forward(bed.segment([1, 2, 3]))
        #expect(try FullNATBed.one(data).payload == header + [1, 2, 3])
        #expect(try FullNATBed.one(data).sequence == Self.base &+ offset)
        let second = try FullNATBed.one(bed.forward(bed.segment([4], at: 3)))
        #expect(second.payload == [4] && second.sequence == Self.base &+ 3 &+ offset &+ length)
        Self.expectRight(data)
        // The server has the header and two bytes.
        let ack = bed.back(bed.answer(Self.base &+ offset &+ length &+ 2))
        #expect(try FullNATBed.one(ack).acknowledgement == Self.base &+ 2)
        Self.expectRight(ack)
        let again = try FullNATBed.one(bed.forward(bed.segment([1, 2, 3])))
        #expect(again.payload == [1, 2, 3] && again.sequence == Self.base &+ offset &+ length)
        let bare = try FullNATBed.one(bed.forward(bed.segment([], at: 4, seen: 100)))
        #expect(bare.payload.isEmpty && bare.sequence == Self.base &+ 4 &+ offset &+ length)
    }

    /// Acknowledgements and blocks within the header are the client's first byte: nothing that it did not send.
    @Test(arguments: FullNATParties.all)
    func acknowledgementsNeverNameTheHeader(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .proxyProtocol)
        let offset = try bed.open()
        let length = UInt32(Self.header(parties).count)
        _ = bed.forward(bed.segment([1, 2, 3]))
        let start = Self.base &+ offset
        for (theirs, ours) in [(start, Self.base), (start &+ 1, Self.base), (start &+ length &- 1, Self.base)] {
            let sent = bed.back(
                bed.answer(theirs).setting(
                    \.transportOptions,
                    [1, 1, 5, 10] + (start &+ length &+ 1).networkBytes + (start &+ length &+ 3).networkBytes))
            let reply = try FullNATBed.one(sent)
            #expect(reply.acknowledgement == ours)
            let edges = (Self.base &+ 1).networkBytes + (Self.base &+ 3).networkBytes
            #expect(reply.transportOptions == [1, 1, 5, 10] + edges)
            Self.expectRight(sent)
        }
        #expect(try FullNATBed.one(bed.back(bed.answer(start &+ length &+ 3))).acknowledgement == Self.base &+ 3)
    }

    /// Where payload and header do not fit together, the header goes before in a segment of its own.
    @Test(arguments: FullNATParties.all)
    func theHeaderGoesApartWhereThereIsNoRoom(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .proxyProtocol)
        let offset = try bed.open()
        let header = Self.header(parties)
        let payload = [UInt8](repeating: 5, count: 1440)
        let sent = bed.forward(bed.segment(payload, [.ack, .psh]))
        Self.expectRight(sent)
        #expect(sent.count == 2)
        let parts = sent.compactMap { PacketSummary(frame: $0.bytes) }
        try #require(parts.count == 2)
        #expect(parts[0].payload == header && parts[0].sequence == Self.base &+ offset)
        #expect(parts[0].source == parties.firstLocal && parts[0].destination == parties.server)
        #expect(parts[0].acknowledgement == parts[1].acknowledgement)
        #expect(parts[1].payload == payload)
        #expect(parts[1].sequence == Self.base &+ offset &+ UInt32(header.count))
        #expect(sent.allSatisfy { Array($0.bytes.prefix(6)) == TestDirector.server(11).wireBytes })
        #expect(bed.director.counters.made == 1 && bed.director.isAccountedFor)
        // Again, as long as the server does not say that it has it.
        #expect(bed.forward(bed.segment(payload)).count == 2)
        _ = bed.back(bed.answer(Self.base &+ offset &+ UInt32(header.count)))
        #expect(bed.forward(bed.segment(payload)).count == 1)
    }

    @Test(arguments: FullNATParties.all)
    func theHeaderGoesBeforeASuperFrame(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .proxyProtocol)
        let offset = try bed.open()
        let payload = [UInt8](repeating: 3, count: 20_000)
        let sent = bed.director.receive(
            bed.segment(payload).setting(\.transportChecksum, .partial).frame(),
            offload: DirectorFullNATTests.superFrame(isV6: !parties.client.address.isV4, size: 1400))
        try #require(sent.count == 2)
        let header = try #require(PacketSummary(frame: sent[0].bytes))
        let data = try #require(PacketSummary(frame: sent[1].bytes))
        #expect(header.payload == Self.header(parties) && header.transportChecksum == .right)
        #expect(data.payload == payload && data.transportChecksum == .partial)
        #expect(data.sequence == Self.base &+ offset &+ UInt32(header.payload.count))
        #expect(sent[1].offload.isSuperFrame && !sent[0].offload.isSuperFrame)
    }

    /// A partial checksum of one segment, with the header in it.
    @Test(arguments: FullNATParties.all)
    func theHeaderGoesWithPartialChecksums(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, carrier: .proxyProtocol)
        _ = try bed.open()
        var offload = DirectorFullNATTests.superFrame(isV6: !parties.client.address.isV4, size: 0)
        offload.segmentation = OffloadFacts.Segmentation.none
        offload.headerLength = 0
        let sent = bed.director.receive(
            bed.segment([1, 2, 3]).setting(\.transportChecksum, .partial).frame(), offload: offload)
        let frame = try #require(sent.first)
        #expect(frame.offload.needsChecksum && frame.offload.checksumStart == (parties.server.address.isV4 ? 34 : 54))
        #expect(
            PacketCheck.problems(frame.bytes, .payload(Self.header(parties) + [1, 2, 3]), .transportChecksum(.partial))
                == [])
    }

    /// FIN and RST without payload, and a new connection in the same entry.
    @Test func theHeaderFollowsTheConnection() throws {
        let bed = try FullNATBed(.v4, carrier: .proxyProtocol)
        bed.director.engine.settings[.connReuseMode] = 0
        let offset = try bed.open()
        let length = UInt32(28)
        #expect(try FullNATBed.one(bed.forward(bed.segment([], .rst))).sequence == Self.base &+ offset)
        let fin = try FullNATBed.one(bed.forward(bed.segment([], [.ack, .fin])))
        #expect(fin.payload == Self.header(.v4) && fin.flags == [.ack, .fin])
        #expect(try FullNATBed.one(bed.forward(bed.segment([], .rst))).sequence == Self.base &+ offset &+ length)
        _ = bed.back(bed.answer(Self.base &+ offset &+ length &+ 1))
        let syn = bed.request(.tcp(.syn)).setting(\.sequence, 77)
        #expect(try FullNATBed.one(bed.forward(syn)).sequence == 77 &+ offset)
        let first = bed.request(.tcp(.ack)).setting(\.sequence, 78)
        let sent = try FullNATBed.one(bed.forward(first))
        #expect(sent.payload == Self.header(.v4) && sent.sequence == 78 &+ offset)
    }

    /// Long after 2^31 bytes the numbers are still shifted by the header.
    @Test func theShiftOutlivesAWrap() throws {
        let bed = try FullNATBed(.v4, carrier: .proxyProtocol)
        let offset = try bed.open()
        _ = bed.forward(bed.segment([1]))
        _ = bed.back(bed.answer(Self.base &+ offset &+ 29))
        for place in [UInt32(0x7fff_fff0), 0x8000_0010, 0xffff_fff0] {
            let sent = try FullNATBed.one(bed.forward(bed.segment([1], at: place, seen: 5)))
            #expect(sent.sequence == Self.base &+ place &+ offset &+ 28 && sent.payload == [1])
            let back = try FullNATBed.one(bed.back(bed.answer(sent.sequence &+ 1)))
            #expect(back.acknowledgement == Self.base &+ place &+ 1)
        }
    }

    // MARK: PROXY protocol over UDP

    /// Each datagram brings the header: they may be lost or overtaken, and servers read it from each.
    @Test(arguments: FullNATParties.all)
    func eachDatagramBringsTheHeader(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp, carrier: .proxyProtocol)
        let header = Self.header(parties, isTCP: false)
        for payload in [[1, 2, 3], [], [9]] as [[UInt8]] {
            for checksum in [PacketBuilder.ChecksumChoice.right, .zero] {
                let sent = bed.forward(bed.request(.udp, payload).setting(\.transportChecksum, checksum))
                #expect(try FullNATBed.one(sent).payload == header + payload)
                #expect(PacketCheck.problems(try #require(sent.first).bytes, .transportChecksum(.right)) == [])
            }
        }
        let back = try FullNATBed.one(bed.back(bed.reply(.udp, [5])))
        #expect(back.payload == [5])
        let told = try FullNATBed.one(bed.forward(bed.request(.udp, [UInt8](repeating: 1, count: 1450))))
        #expect(told.icmpType == (parties.client.address.isV4 ? 3 : 2))
    }

    @Test(arguments: FullNATParties.all)
    func eachDatagramOfASuperFrameBringsTheHeader(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp, carrier: .proxyProtocol)
        var offload = DirectorFullNATTests.superFrame(isV6: !parties.client.address.isV4, size: 1000)
        offload.segmentation = OffloadFacts.Segmentation.udpL4
        offload.checksumOffset = 6
        offload.headerLength = offload.checksumStart + 8
        let payload = (0..<3500).map { UInt8(truncatingIfNeeded: $0) }
        let sent = bed.director.receive(
            bed.request(.udp, payload).setting(\.transportChecksum, .partial).frame(), offload: offload)
        #expect(sent.count == 4)
        Self.expectRight(sent)
        let header = Self.header(parties, isTCP: false)
        let parts = sent.compactMap { PacketSummary(frame: $0.bytes) }
        #expect(parts.allSatisfy { Array($0.payload.prefix(header.count)) == header })
        #expect(parts.flatMap { $0.payload.dropFirst(header.count) } == payload)
        #expect(bed.director.isAccountedFor)
    }

    /// A datagram in fragments leaves with one header, in fragments.
    @Test(arguments: FullNATParties.all)
    func fragmentsShareOneHeader(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp, carrier: .proxyProtocol)
        let payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) }
        var sent: [TestDirector.Sent] = []
        let request = bed.request(.udp, payload).setting(\.doesNotFragment, false)
        for piece in request.fragments(size: 1440) { sent += bed.director.receive(piece) }
        #expect(sent.allSatisfy { $0.interface == 1 && $0.bytes.count <= 1514 })
        let whole = DirectorFullNATTests.joined(sent)
        #expect(Array(whole.dropFirst(8)) == Self.header(parties, isTCP: false) + payload)
        #expect(whole.prefix(6).suffix(2) == UInt16(whole.count).networkBytes[...])
        #expect(bed.director.isAccountedFor)
    }

    /// TOA is TCP's alone.
    @Test func datagramsHaveNoOption() throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp, carrier: .tcpOption)
        #expect(try FullNATBed.one(bed.forward(bed.request(.udp, [1]))).payload == [1])
    }
}
