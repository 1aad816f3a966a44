import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

@Suite struct DirectorFullNATTests {
    // MARK: Both ways

    @Test(arguments: FullNATParties.all)
    func tcpGoesThereAndBack(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        let offset = try bed.open()
        let payload: [UInt8] = [1, 2, 3, 4, 5]
        let there = bed.forward(bed.segment(payload).setting(\.typeOfService, 0x28))
        #expect(there.map(\.interface) == [1])
        #expect(
            PacketCheck.problems(
                try #require(there.first).bytes, .from(parties.firstLocal), .to(parties.server), .timeToLive(63),
                .payload(payload), .typeOfService(0x28), .macs(from: TestDirector.eth1, to: TestDirector.server(11)),
                .checksumsRight) == [])
        let request = try FullNATBed.one(there)
        #expect(request.sequence == FullNATBed.clientISN &+ 1 &+ offset)
        #expect(request.acknowledgement == FullNATBed.serverISN &+ 1)
        let back = bed.back(bed.answer(request.sequence &+ 5, payload).setting(\.typeOfService, 0x10))
        #expect(back.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(parties.virtual), .to(parties.client), .timeToLive(63),
                .payload(payload), .typeOfService(0x10), .macs(from: TestDirector.eth0, to: TestDirector.gateway),
                .checksumsRight) == [])
        let reply = try FullNATBed.one(back)
        #expect(reply.acknowledgement == FullNATBed.clientISN &+ 6 && reply.sequence == FullNATBed.serverISN &+ 1)
        #expect(bed.director.counters.total(.forward) == 4 && bed.director.isAccountedFor)
        let entry = try #require(bed.director.entries.first)
        #expect(entry.state == TCPState.established.rawValue)
    }

    @Test(arguments: FullNATParties.all)
    func udpGoesThereAndBack(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp)
        for checksum in [PacketBuilder.ChecksumChoice.right, .zero] {
            let there = bed.forward(bed.request(.udp, [7, 8, 9]).setting(\.transportChecksum, checksum))
            #expect(
                PacketCheck.problems(
                    try #require(there.first).bytes, .from(parties.firstLocal), .to(parties.server), .timeToLive(63),
                    .payload([7, 8, 9]), .transportChecksum(.right), .checksumsRight) == [])
            let back = bed.back(bed.reply(.udp, [10, 11]).setting(\.transportChecksum, checksum))
            #expect(
                PacketCheck.problems(
                    try #require(back.first).bytes, .from(parties.virtual), .to(parties.client), .timeToLive(63),
                    .payload([10, 11]), .transportChecksum(.right), .checksumsRight) == [])
        }
    }

    @Test(arguments: FullNATParties.all)
    func sctpGoesThereAndBack(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.sctp)
        let there = bed.forward(bed.request(.sctp, [1, 0, 0, 8, 1, 2, 3, 4]))
        #expect(
            PacketCheck.problems(
                try #require(there.first).bytes, .from(parties.firstLocal), .to(parties.server), .checksumsRight) == [])
        let back = bed.back(bed.reply(.sctp, [2, 0, 0, 8, 1, 2, 3, 4]))
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(parties.virtual), .to(parties.client), .checksumsRight) == [])
    }

    /// Two clients have a local port each; replies find their own.
    @Test func clientsAreToldApartByTheLocalPort() throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp)
        for (number, port) in [UInt16(5001), 5002, 5003].enumerated() {
            let there = try FullNATBed.one(bed.forward(bed.request(.udp, [1], port: port)))
            let local = Endpoint(bed.parties.local, 1024 + UInt16(number))
            #expect(there.source == local)
            let back = try FullNATBed.one(bed.back(bed.reply(.udp, [2], to: local)))
            #expect(back.destination.port == port)
        }
        let stray = bed.reply(.udp, [2], to: Endpoint(bed.parties.local, 1027))
        #expect(bed.back(stray).isEmpty)
    }

    /// One-packet scheduling would leave the reply without a connection: the entry stays.
    @Test func onePacketSchedulingDoesNotApply() throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp, isOnePacket: true)
        #expect(bed.forward(bed.request(.udp, [1])).count == 1)
        #expect(bed.back(bed.reply(.udp, [2])).map(\.interface) == [0])
    }

    // MARK: Ports

    /// The port comes back when the entry ends, and goes to the last of the queue.
    @Test func aPortThatEndedIsUsedLast() throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp)
        #expect(try FullNATBed.one(bed.forward(bed.request(.udp, [1]))).source.port == 1024)
        #expect(bed.inUse == 1)
        _ = bed.director.advance(seconds: 301)
        #expect(bed.director.entries.isEmpty && bed.inUse == 0)
        #expect(try FullNATBed.one(bed.forward(bed.request(.udp, [1]))).source.port == 1025)
    }

    /// A client's new connection on a port that is used again begins, for the server, above the one before.
    @Test func aPortUsedAgainBeginsAboveTheConnectionBefore() throws {
        let bed = try FullNATBed(.v4)
        let pool = try #require(bed.pool)
        let first = try FullNATBed.one(bed.forward(bed.request(.tcp(.syn)).setting(\.sequence, 5)))
        #expect(first.source.port == 1024)
        _ = bed.director.advance(seconds: 70)
        #expect(bed.director.entries.isEmpty)
        // Everybody else's turn, until the port is the longest free.
        for _ in 1025...65535 { _ = pool.take(isV4: true, transportProtocol: IPProtocol.tcp) }
        let second = try FullNATBed.one(bed.forward(bed.request(.tcp(.syn)).setting(\.sequence, 0x8000_0000)))
        #expect(second.source == first.source && second.destination == first.destination)
        let distance = Int32(bitPattern: second.sequence &- first.sequence)
        #expect(distance > 70 * 15_000_000 && distance < 80 * 15_625_000)
    }

    /// Of unlike connections the numbers have nothing to do with each other, nor with the client's.
    @Test func initialNumbersAreRandom() throws {
        let bed = try FullNATBed(.v4)
        var seen: Set<UInt32> = []
        for port in UInt16(1)...200 {
            let syn = try FullNATBed.one(bed.forward(bed.request(.tcp(.syn), port: 1000 + port)))
            seen.insert(syn.sequence >> 24)
        }
        #expect(seen.count > 90)
    }

    @Test(arguments: [FullNATParties.v4, .nat64])
    func withoutAPortTheConnectionIsTurnedAway(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        let pool = try #require(bed.pool)
        #expect(bed.status.map(\.free) == [UInt32(LocalPortRing.ports)])
        for _ in 0..<LocalPortRing.ports { _ = pool.take(isV4: true, transportProtocol: IPProtocol.tcp) }
        #expect(bed.status.map(\.free) == [0])
        #expect(bed.forward(bed.request(.tcp(.syn))).isEmpty)
        #expect(bed.director.counters.total(DropReason.noLocalPort) == 1 && bed.director.isAccountedFor)
        #expect(bed.status.map(\.exhausted) == [1] && bed.status.map(\.connections) == [UInt32(LocalPortRing.ports)])
        #expect(bed.director.entries.isEmpty)
    }

    /// A SYN that finds its old connection finished takes a new port and gives the old one back; deletion and
    /// `expire_nodest_conn` give theirs back.
    @Test func everyEndGivesThePortBack() throws {
        let bed = try FullNATBed(.v4)
        let offset = try bed.open()
        _ = bed.forward(bed.segment([]))
        _ = bed.forward(bed.segment([], .rst))
        let again = try FullNATBed.one(bed.forward(bed.request(.tcp(.syn))))
        #expect(again.source.port == 1025 && bed.inUse == 1 && offset != 0)
        bed.director.engine.settings[.expireNodestConn] = 1
        let key = TestDirector.key(bed.parties.virtual, IPProtocol.tcp)
        try bed.director.engine.removeDestination(
            DestinationKey(address: bed.parties.server.address, port: bed.parties.server.port), of: key)
        _ = bed.director.advance(seconds: 1)
        #expect(bed.director.entries.isEmpty && bed.inUse == 0)
    }

    /// A table that is full takes no port.
    @Test func aFullTableGivesThePortBack() throws {
        let bed = try FullNATBed(.v4, IPProtocol.udp)
        var made = 0
        while bed.forward(bed.request(.udp, [1], port: UInt16(1000 + made))).count == 1 { made += 1 }
        #expect(bed.director.counters.total(DropReason.tableFull) == 1)
        #expect(bed.inUse == made && bed.director.entries.count == made)
    }

    @Test func persistentClientsKeepTheirServer() throws {
        let bed = try FullNATBed(.v4)
        let key = TestDirector.key(bed.parties.virtual, IPProtocol.tcp)
        try bed.director.engine.editService(
            VirtualService(key: key, scheduler: .rr, persistence: Persistence(timeout: 100, prefixLength: 32)))
        try bed.director.add("10.0.2.12:8080", to: key, method: .fullNAT)
        let servers = try [UInt16(5001), 5002, 5003].map {
            try FullNATBed.one(bed.forward(bed.request(.tcp(.syn), port: $0))).destination
        }
        #expect(Set(servers).count == 1)
        _ = bed.director.advance(seconds: 300)
        #expect(bed.director.entries.isEmpty && bed.inUse == 0)
    }

    // MARK: TCP

    /// Timestamps leave the SYN as bytes that mean nothing; the rest of its options stays.
    @Test(arguments: FullNATParties.all)
    func timestampsLeaveTheSYN(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        let timestamps: [UInt8] = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0]
        let before: [UInt8] = [2, 4, 5, 0xa0, 4, 2]
        let syn = bed.forward(
            bed.request(.tcp(.syn)).setting(\.transportOptions, before + timestamps + [1, 3, 3, 7]))
        let options = try FullNATBed.one(syn).transportOptions
        #expect(options == before + [UInt8](repeating: 1, count: 10) + [1, 3, 3, 7])
        #expect(PacketCheck.problems(try #require(syn.first).bytes, .checksumsRight) == [])
    }

    @Test(arguments: FullNATParties.all)
    func blocksOfRepliesAreTheClients(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        let offset = try bed.open()
        let base = FullNATBed.clientISN &+ 1
        let edges: [UInt32] = [100, 200, 300, 400]
        let theirs = edges.flatMap { (base &+ $0 &+ offset).networkBytes }
        let ours = edges.flatMap { (base &+ $0).networkBytes }
        let sent = bed.back(
            bed.answer(base &+ offset).setting(\.transportOptions, [1, 1, 5, 18] + theirs))
        #expect(try FullNATBed.one(sent).transportOptions == [1, 1, 5, 18] + ours)
        #expect(PacketCheck.problems(try #require(sent.first).bytes, .checksumsRight) == [])
    }

    /// A wrong checksum stays wrong.
    @Test(arguments: FullNATParties.all)
    func aWrongChecksumStaysWrong(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        _ = try bed.open()
        let sent = bed.forward(bed.segment([1, 2, 3]).setting(\.transportChecksum, .wrong))
        #expect(PacketCheck.problems(try #require(sent.first).bytes, .transportChecksum(.wrong)) == [])
    }

    /// Super-frames leave as they came, in one frame, the partial sum right for the new addresses and, with NAT64, the
    /// kind of segmentation that of the other family.
    @Test(arguments: FullNATParties.all)
    func carriesSuperFrames(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        _ = try bed.open()
        let payload = [UInt8](repeating: 0x5a, count: 30_000)
        let six = !parties.client.address.isV4
        let there = bed.director.receive(
            bed.segment(payload).setting(\.transportChecksum, .partial).frame(),
            offload: Self.superFrame(isV6: six, size: 1400))
        let request = try #require(there.first)
        #expect(there.count == 1)
        #expect(request.offload == Self.superFrame(isV6: !parties.server.address.isV4, size: 1400))
        #expect(
            PacketCheck.problems(request.bytes, .to(parties.server), .payload(payload), .transportChecksum(.partial))
                == [])
        let reply = bed.answer(0, payload).setting(\.transportChecksum, .partial)
        let back = bed.director.receive(
            reply.frame(), interface: 1, offload: Self.superFrame(isV6: !parties.server.address.isV4, size: 1460))
        // 1460 bytes fill an IPv4 packet: IPv6 has 20 bytes less for them.
        let size: UInt16 = parties.client.address.isV4 ? 1460 : 1440
        if parties.client.address.isV4 || parties.isNAT64 {
            #expect(back.map(\.offload) == [Self.superFrame(isV6: six, size: size)])
            #expect(
                PacketCheck.problems(
                    try #require(back.first).bytes, .from(parties.virtual), .payload(payload),
                    .transportChecksum(.partial)) == [])
        }
    }

    static func superFrame(isV6: Bool, size: UInt16) -> OffloadFacts {
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.segmentation = isV6 ? OffloadFacts.Segmentation.tcpv6 : OffloadFacts.Segmentation.tcpv4
        offload.segmentSize = size
        offload.checksumStart = isV6 ? 54 : 34
        offload.headerLength = offload.checksumStart + 20
        offload.checksumOffset = 16
        return offload
    }

    // MARK: What does not go

    @Test(arguments: FullNATParties.all)
    func aUsedUpTimeToLiveIsTold(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        let sent = bed.forward(bed.request(.tcp(.syn)).setting(\.timeToLive, 1))
        let isV4 = parties.client.address.isV4
        #expect(sent.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .to(Endpoint(parties.client.address)), .icmp(isV4 ? 11 : 3, 0),
                .quoting(.from(parties.client), .to(parties.virtual))) == [])
        #expect(bed.director.counters.total(DropReason.timeToLive) == 1 && bed.director.isAccountedFor)
    }

    @Test(arguments: FullNATParties.all)
    func whatIsTooLongIsRefused(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, serverMTU: 1400)
        _ = try bed.open()
        let sent = try FullNATBed.one(bed.forward(bed.segment([UInt8](repeating: 1, count: 1400))))
        #expect(sent.icmpRest == (parties.isNAT64 ? 1420 : 1400))
        #expect(sent.destination.address == parties.client.address)
    }

    /// With NAT64 a packet that IPv6 may carry anywhere leaves without DF, and is cut where it must be.
    @Test func nat64FragmentsWhatIPv6MustCarry() throws {
        let bed = try FullNATBed(.nat64, serverMTU: 600)
        _ = try bed.open()
        let pieces = bed.forward(bed.segment([UInt8](repeating: 1, count: 1200)))
        #expect(pieces.count == 3)
        #expect(pieces.allSatisfy { PacketSummary(frame: $0.bytes)?.isFragment == true })
        #expect(pieces.allSatisfy { $0.bytes.count <= 614 })
    }

    /// A reply that grows beyond the way's MTU is refused towards the server, with the MTU that IPv4 has left.
    @Test func nat64RepliesThatGrowTooLongAreRefused() throws {
        let bed = try FullNATBed(.nat64)
        _ = try bed.open()
        let told = try FullNATBed.one(bed.back(bed.answer(0, [UInt8](repeating: 1, count: 1460))))
        #expect(told.icmpType == 3 && told.icmpCode == 4 && told.icmpRest == 1480)
        #expect(told.destination.address == bed.parties.server.address)
        let whole = bed.answer(0, [UInt8](repeating: 1, count: 1460)).setting(\.doesNotFragment, false)
        let pieces = bed.back(whole)
        #expect(pieces.count == 2)
        #expect(pieces.allSatisfy { PacketSummary(frame: $0.bytes)?.isFragment == true })
    }

    /// The client may not ask for more than fits into IPv6 on its way.
    @Test func nat64LimitsTheSegmentSize() throws {
        for (asked, granted) in [(UInt16(8940), UInt16(1440)), (1440, 1440), (1220, 1220)] {
            let bed = try FullNATBed(.nat64)
            let syn = bed.forward(bed.request(.tcp(.syn)).setting(\.transportOptions, [2, 4] + asked.networkBytes))
            #expect(try FullNATBed.one(syn).transportOptions == [2, 4] + granted.networkBytes)
            #expect(PacketCheck.problems(try #require(syn.first).bytes, .checksumsRight) == [])
        }
    }

    /// Datagrams in fragments are put together, both ways, and leave in fragments.
    @Test(arguments: FullNATParties.all)
    func fragmentsArePutTogether(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp)
        let payload = (0..<3000).map { UInt8(truncatingIfNeeded: $0) }
        var there: [TestDirector.Sent] = []
        let request = bed.request(.udp, payload).setting(\.doesNotFragment, false)
        for piece in request.fragments(size: 1232) { there += bed.director.receive(piece) }
        #expect(there.count >= 3 && there.allSatisfy { $0.interface == 1 && $0.bytes.count <= 1514 })
        #expect(
            there.allSatisfy { PacketSummary(frame: $0.bytes)?.destination.address == parties.server.address })
        #expect(Self.joined(there).dropFirst(8) == payload[...])
        var back: [TestDirector.Sent] = []
        let reply = bed.reply(.udp, payload).setting(\.doesNotFragment, false)
        for piece in reply.fragments(size: 1232) { back += bed.director.receive(piece, interface: 1) }
        #expect(back.count >= 3 && back.allSatisfy { $0.interface == 0 && $0.bytes.count <= 1514 })
        #expect(Self.joined(back).dropFirst(8) == payload[...])
        #expect(bed.director.isAccountedFor)
    }

    /// What fragments carry, in their order.
    static func joined(_ pieces: [TestDirector.Sent]) -> [UInt8] {
        pieces.compactMap { PacketSummary(frame: $0.bytes) }.sorted { $0.fragmentOffset < $1.fragmentOffset }
            .flatMap(\.segment)
    }

    /// A real server that is the director itself is reached as with NAT.
    @Test func aLocalServerIsReachedAsWithNAT() throws {
        let bed = try FullNATBed(.v4)
        let key = TestDirector.key(bed.parties.virtual, IPProtocol.tcp)
        try bed.director.engine.removeDestination(
            DestinationKey(address: bed.parties.server.address, port: bed.parties.server.port), of: key)
        try bed.director.add("10.0.2.1:8080", to: key, method: .fullNAT)
        #expect(bed.forward(bed.request(.tcp(.syn))).isEmpty)
        #expect(bed.director.entries.map(\.method) == [.masquerading] && bed.inUse == 0)
    }

    // MARK: Explained

    @Test func theExplanationNamesTheLocalPort() throws {
        let bed = try FullNATBed(.v4)
        bed.director.director.trace = DecisionTrace()
        let frame = bed.request(.tcp(.syn)).frame()
        let sent = bed.director.receive(frame)
        let noted = bed.director.director.trace
        let trace = try #require(noted)
        let words = ExplainedPacket(trace, interface: 0, received: frame, sent: sent.map(\.bytes))
        #expect(words.lines.contains { $0.contains("FullNat, local 10.0.2.200:1024") })
    }
}

extension FullNATBed {
    /// The service's local addresses as listed.
    var status: [LocalAddressStatus] {
        director.engine.service(TestDirector.key(parties.virtual, transportProtocol))?.localAddresses ?? []
    }
    /// Ports in use.
    var inUse: Int { status.reduce(0) { $0 + Int($1.connections) } }
    /// The service's pool.
    var pool: LocalPoolReference? {
        director.engine.serviceTable.find(
            transportProtocol: transportProtocol, address: parties.virtual.address, port: parties.virtual.port, mark: 0)?
            .record.localPool
    }
}
