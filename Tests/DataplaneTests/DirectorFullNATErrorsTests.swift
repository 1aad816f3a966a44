import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// ICMP errors about FULLNAT connections, both ways.
@Suite struct DirectorFullNATErrorsTests {
    private static let router: Endpoint = "10.0.2.254"
    private static let routerV6: Endpoint = "[2001:db8:2::fe]:0"

    /// A router's error about `packet`, as it comes from the servers' side.
    private static func serverSide(
        _ bed: FullNATBed, _ type: UInt8, _ code: UInt8, rest: UInt32 = 0, about packet: [UInt8]
    ) -> [UInt8] {
        let router = bed.parties.server.address.isV4 ? router : routerV6
        return PacketBuilder.icmp(
            from: router, to: Endpoint(bed.parties.local), type: type, code: code, rest: rest, payload: packet
        ).setting(\.destinationMAC, TestDirector.eth1).frame()
    }

    /// A router's error about `packet`, as it comes from the client's side.
    private static func clientSide(
        _ bed: FullNATBed, _ type: UInt8, _ code: UInt8, rest: UInt32 = 0, about packet: [UInt8]
    ) -> [UInt8] {
        let router: Endpoint = bed.parties.client.address.isV4 ? "198.51.100.254" : "[2001:db8:ffff::fe]:0"
        return PacketBuilder.icmp(
            from: router, to: Endpoint(bed.parties.virtual.address), type: type, code: code, rest: rest, payload: packet
        ).frame()
    }

    /// The packet in a frame, cut to `length` bytes.
    private static func packet(_ sent: [TestDirector.Sent], _ length: Int = 48) throws -> [UInt8] {
        Array(try #require(sent.last).bytes.dropFirst(14).prefix(length))
    }

    /// Errors from the servers' side quote what we sent; the client reads of what it sent, number and ports its own.
    @Test(arguments: FullNATParties.all)
    func theClientReadsOfItsOwnSegment(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        _ = try bed.open()
        let quoted = try Self.packet(bed.forward(bed.segment([1, 2, 3], at: 7)), 80)
        let (toV4, toClient) = (parties.server.address.isV4, parties.client.address.isV4)
        for (type, code, wantedType, wantedCode) in Self.unreachables(toV4, toClient) {
            let sent = bed.director.receive(
                Self.serverSide(bed, type, code, about: quoted), interface: 1)
            #expect(sent.map(\.interface) == [0])
            let frame = try #require(sent.first).bytes
            #expect(
                PacketCheck.problems(
                    frame, .from(Endpoint(parties.virtual.address)), .to(Endpoint(parties.client.address)),
                    .timeToLive(63), .icmp(wantedType, wantedCode), .checksumsRight,
                    .macs(from: TestDirector.eth0, to: TestDirector.gateway),
                    .quoting(.from(parties.client), .to(parties.virtual))) == [])
            let inner = try FullNATBed.quoted(sent.first)
            #expect(inner.sequence == FullNATBed.clientISN &+ 8 && inner.headerChecksum == .right)
        }
        #expect(bed.director.isAccountedFor)
    }

    /// Type and code as they come, and as the client reads them.
    private static func unreachables(_ isV4: Bool, _ toV4: Bool) -> [(UInt8, UInt8, UInt8, UInt8)] {
        switch (isV4, toV4) {
        case (true, true): [(3, 1, 3, 1), (3, 3, 3, 3), (11, 0, 11, 0)]
        case (false, _): [(1, 3, 1, 3), (1, 4, 1, 4), (3, 0, 3, 0)]
        case (true, false): [(3, 1, 1, 0), (3, 3, 1, 4), (3, 2, 4, 1), (3, 13, 1, 1), (11, 1, 3, 1)]
        }
    }

    /// Errors from the client's side come to the server from the local address, about what the server sent.
    @Test(arguments: FullNATParties.all)
    func theServerReadsOfItsOwnSegment(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties)
        _ = try bed.open()
        let quoted = try Self.packet(bed.back(bed.answer(0, [1, 2, 3], at: 9)), 80)
        let (fromV4, toV4) = (parties.client.address.isV4, parties.server.address.isV4)
        let kinds: [(UInt8, UInt8, UInt8, UInt8)] =
            switch (fromV4, toV4) {
            case (true, _): [(3, 1, 3, 1), (3, 3, 3, 3), (11, 0, 11, 0)]
            case (false, false): [(1, 3, 1, 3), (1, 4, 1, 4), (3, 0, 3, 0)]
            case (false, true): [(1, 0, 3, 1), (1, 1, 3, 10), (1, 4, 3, 3), (3, 0, 11, 0)]
            }
        for (type, code, wantedType, wantedCode) in kinds {
            let sent = bed.director.receive(Self.clientSide(bed, type, code, about: quoted))
            #expect(sent.map(\.interface) == [1])
            let frame = try #require(sent.first).bytes
            #expect(
                PacketCheck.problems(
                    frame, .from(Endpoint(parties.local)), .to(Endpoint(parties.server.address)), .timeToLive(63),
                    .icmp(wantedType, wantedCode), .checksumsRight,
                    .quoting(.from(parties.server), .to(parties.firstLocal))) == [])
            let inner = try FullNATBed.quoted(sent.first)
            #expect(inner.sequence == FullNATBed.serverISN &+ 10)
        }
        #expect(bed.director.isAccountedFor)
    }

    /// What fits on the servers' side, as the client has to count it.
    @Test(
        arguments: FullNATParties.all,
        [ClientAddressCarrier.none, .tcpOption, .proxyProtocol])
    func theMTUIsTheClients(parties: FullNATParties, carrier: ClientAddressCarrier) throws {
        let bed = try FullNATBed(parties, carrier: carrier)
        _ = try bed.open()
        let quoted = try Self.packet(bed.forward(bed.segment([UInt8](repeating: 1, count: 1400))), 80)
        let isV4 = parties.server.address.isV4
        let frame = Self.serverSide(bed, isV4 ? 3 : 2, isV4 ? 4 : 0, rest: 1400, about: quoted)
        let told = try FullNATBed.one(bed.director.receive(frame, interface: 1))
        let isClientV4 = parties.client.address.isV4
        var wanted: UInt32 = parties.isNAT64 ? 1420 : 1400
        switch carrier {
        case .none: break
        case .tcpOption: wanted -= isClientV4 ? 8 : 20
        case .proxyProtocol: wanted -= isClientV4 ? 28 : 52
        }
        #expect(told.icmpRest == wanted && told.icmpType == (isClientV4 ? 3 : 2))
    }

    @Test func theMTUIsTheServers() throws {
        let bed = try FullNATBed(.nat64)
        _ = try bed.open()
        let quoted = try Self.packet(bed.back(bed.answer(0, [UInt8](repeating: 1, count: 1400))), 80)
        let told = try FullNATBed.one(
            bed.director.receive(Self.clientSide(bed, 2, 0, rest: 1300, about: quoted)))
        #expect(told.icmpType == 3 && told.icmpCode == 4 && told.icmpRest == 1280)
        // An MTU below what every IPv6 link carries does not come about.
        let request = try Self.packet(bed.forward(bed.segment([1])), 80)
        let small = try FullNATBed.one(
            bed.director.receive(Self.serverSide(bed, 3, 4, rest: 600, about: request), interface: 1))
        #expect(small.icmpType == 2 && small.icmpRest == 1280)
    }

    /// A broken error, one that was on its way for too long, and one that the other family does not have.
    @Test(arguments: FullNATParties.all)
    func someErrorsAreDropped(parties: FullNATParties) throws {
        let bed = try FullNATBed(parties, IPProtocol.udp)
        let quoted = try Self.packet(bed.forward(bed.request(.udp, [1])))
        let isV4 = parties.server.address.isV4
        var frame = Self.serverSide(bed, isV4 ? 3 : 1, 3, about: quoted)
        frame[frame.count - 1] ^= 1
        #expect(bed.director.receive(frame, interface: 1).isEmpty)
        #expect(bed.director.counters.total(DropReason.badICMP) == 1)
        let sent = bed.director.receive(Self.serverSide(bed, isV4 ? 3 : 1, 3, about: quoted), interface: 1)
        #expect(sent.count == 1)
        if parties.isNAT64 {
            #expect(bed.director.receive(Self.serverSide(bed, 4, 0, about: quoted), interface: 1).isEmpty)
            #expect(bed.director.counters.total(DropReason.badICMP) == 2)
        }
        #expect(bed.director.isAccountedFor)
    }
}
