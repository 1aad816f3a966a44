import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// The way to the real server, by method, and what the client hears when there is none.
@Suite struct DirectorForwardTests {
    @Test func directRoutingChangesOnlyWhatARouterDoes() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80"], method: .directRouting)
        let request = TestDirector.request(.syn).setting(\.options, [148, 4, 0, 0])
        let sent = try #require(bed.receive(request.frame()).first)
        let expected = request.setting(\.timeToLive, 63).setting(\.sourceMAC, TestDirector.eth1)
            .setting(\.destinationMAC, TestDirector.server(11))
        #expect(sent.bytes == expected.frame())
        #expect(sent.interface == 1)
    }

    /// A server that is an address of the host: its stack gets the packet, rewritten, the TTL as it was.
    @Test func leavesLocalServersToTheHost() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["192.0.2.1:8080"])
        let heap = HeapPacket(TestDirector.request(.syn).frame())
        #expect(bed.receive(heap).isEmpty)
        #expect(
            PacketCheck.problems(heap.array, .to("192.0.2.1:8080"), .timeToLive(64), .checksumsRight) == [])
        #expect(bed.counters.total(.pass) == 1 && bed.entries.count == 1)
    }

    /// Live the guard keeps the stack's own copy from it; the packet comes back to it by the loopback interface, as it was.
    @Test func handsLocalServersWhatTheGuardKeepsFromThem() throws {
        let bed = try TestDirector()
        bed.director.hostSlot = 2
        try bed.serve("192.0.2.1:80", IPProtocol.tcp, ["192.0.2.1:80"], method: .directRouting)
        let request = TestDirector.request(.syn, to: "192.0.2.1:80")
        let sent = try #require(bed.receive(request.frame()).first)
        #expect(sent.interface == 2)
        #expect(sent.bytes == request.setting(\.destinationMAC, .zero).frame())
        #expect(bed.counters.total(.forward) == 1 && bed.counters.total(.pass) == 0)
        // An address that the host does not have leads to nothing there.
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["192.0.2.1:80"], method: .directRouting)
        #expect(bed.receive(TestDirector.request(.syn).frame()).isEmpty)
        #expect(bed.counters.total(.pass) == 1)
    }

    /// The entry is made, and its state moved, before the TTL is looked at.
    @Test func tellsOfAUsedUpTTL() throws {
        let bed = try TestDirector()
        try bed.serve()
        let sent = bed.receive(TestDirector.request(.syn).setting(\.timeToLive, 1).frame())
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from("203.0.113.80"), .icmp(11, 0), .checksumsRight,
                .quoting(.timeToLive(1), .to(TestDirector.virtual))) == [])
        #expect(bed.entries.map { Transport.tcp.name(of: $0.state) } == ["SYN_RECV"])
    }

    /// RFC 1191: the MTU of the way is in the error, the packet is quoted before translation.
    @Test func tellsOfATooSmallMTU() throws {
        let bed = try TestDirector(serverMTU: 1400)
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        let large = TestDirector.request(.ack).setting(\.payload, [UInt8](repeating: 1, count: 1361))
        let sent = try #require(bed.receive(large.frame()).first)
        #expect(
            PacketCheck.problems(
                sent.bytes, .from("203.0.113.80"), .icmp(3, 4), .packetLength(576), .checksumsRight,
                .quoting(.to(TestDirector.virtual), .timeToLive(63))) == [])
        #expect(PacketSummary(frame: sent.bytes)?.icmpRest == 1400)
        let fitting = TestDirector.request(.ack).setting(\.payload, [UInt8](repeating: 1, count: 1360))
        #expect(bed.receive(fitting.frame()).map(\.interface) == [1])
    }

    @Test func tellsOfATooSmallMTUV6() throws {
        let bed = try TestDirector(serverMTU: 1400)
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, ["[2001:db8:2::11]:80"])
        let large = TestDirector.request(.syn, to: TestDirector.virtualV6)
            .setting(\.payload, [UInt8](repeating: 1, count: 1400))
        let sent = try #require(bed.receive(large.frame()).first)
        #expect(
            PacketCheck.problems(
                sent.bytes, .from("2001:db8:80::80"), .icmp(2, 0), .packetLength(1280), .checksumsRight) == [])
        #expect(PacketSummary(frame: sent.bytes)?.icmpRest == 1400)
    }

    /// Without DF it is cut, and every piece is as long as fits.
    @Test func cutsWhatMayBeCut() throws {
        let bed = try TestDirector(serverMTU: 600)
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53"])
        let payload = (0..<1400).map { UInt8(truncatingIfNeeded: $0) }
        let datagram = PacketBuilder.udp(from: TestDirector.client, to: "203.0.113.80:53", payload: payload)
            .setting(\.doesNotFragment, false).setting(\.identification, 77)
        let pieces = bed.receive(datagram.frame()).compactMap { PacketSummary(frame: $0.bytes) }
        #expect(pieces.map(\.packetLength) == [596, 596, 276])
        #expect(pieces.map(\.fragmentOffset) == [0, 576, 1152])
        #expect(pieces.allSatisfy { $0.identification == 77 && $0.headerChecksum == .right && $0.timeToLive == 63 })
        let whole = pieces.flatMap(\.segment)
        #expect(Array(whole.dropFirst(8)) == payload)
        #expect(bed.counters.total(.forward) == 1 && bed.counters.made == 3 && bed.isAccountedFor)
    }

    @Test func tellsOfAMissingRoute() throws {
        let bed = try TestDirector(routes: ["unreachable 10.0.2.11/32"])
        try bed.serve()
        let sent = bed.receive(TestDirector.request(.syn).frame())
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from("203.0.113.80"), .icmp(3, 1), .checksumsRight,
                .quoting(.timeToLive(64))) == [])
        #expect(bed.entries.count == 1)
    }
}
