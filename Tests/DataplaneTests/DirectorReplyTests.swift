import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Requests and replies through NAT, there and back.
@Suite struct DirectorReplyTests {
    static let families: [(Endpoint, Endpoint, Endpoint)] = [
        (TestDirector.client, TestDirector.virtual, "10.0.2.11:8080"),
        (TestDirector.clientV6, TestDirector.virtualV6, "[2001:db8:2::11]:8080"),
    ]

    @Test(arguments: families)
    func goesThereAndBack(client: Endpoint, virtual: Endpoint, server: Endpoint) throws {
        let bed = try TestDirector()
        try bed.serve(virtual, IPProtocol.tcp, [server])
        let payload: [UInt8] = [1, 2, 3, 4, 5]
        _ = bed.receive(PacketBuilder.tcp(from: client, to: virtual, .syn).frame())
        let there = bed.receive(PacketBuilder.tcp(from: client, to: virtual, .ack, payload: payload).frame())
        #expect(there.map(\.interface) == [1])
        #expect(
            PacketCheck.problems(
                try #require(there.first).bytes, .from(client), .to(server), .timeToLive(63), .payload(payload),
                .macs(from: TestDirector.eth1, to: TestDirector.server(11)), .checksumsRight) == [])
        let back = bed.receive(
            TestDirector.reply(.ack, from: server, to: client).setting(\.payload, payload).frame(), interface: 1)
        #expect(back.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(virtual), .to(client), .timeToLive(63), .payload(payload),
                .macs(from: TestDirector.eth0, to: TestDirector.gateway), .checksumsRight) == [])
        #expect(bed.counters.total(.forward) == 3 && bed.isAccountedFor)
    }

    /// 64 KB with the checksum left to the device: it leaves as it came, in one frame, the partial sum right for the new
    /// addresses.
    @Test func carriesSuperFrames() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080"])
        _ = bed.receive(TestDirector.request(.syn).frame())
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.segmentation = OffloadFacts.Segmentation.tcpv4
        offload.segmentSize = 1448
        offload.headerLength = 54
        offload.checksumStart = 34
        offload.checksumOffset = 16
        let payload = [UInt8](repeating: 0x5a, count: 60_000)
        let request = TestDirector.request(.ack).setting(\.payload, payload).setting(\.transportChecksum, .partial)
        let there = bed.receive(request.frame(), offload: offload)
        #expect(there.map(\.offload) == [offload])
        #expect(
            PacketCheck.problems(
                try #require(there.first).bytes, .to("10.0.2.11:8080"), .payload(payload), .transportChecksum(.partial))
                == [])
        let reply = TestDirector.reply(.ack, from: "10.0.2.11:8080").setting(\.payload, payload)
            .setting(\.transportChecksum, .partial)
        let back = bed.receive(reply.frame(), interface: 1, offload: offload)
        #expect(back.map(\.offload) == [offload])
        #expect(
            PacketCheck.problems(
                try #require(back.first).bytes, .from(TestDirector.virtual), .transportChecksum(.partial)) == [])
    }

    /// A server's packet that belongs to nothing is the host's to forward; with `nat_icmp_send` the server is told.
    @Test func leavesStrayPacketsToTheHost() throws {
        let bed = try TestDirector()
        try bed.serve()
        #expect(bed.receive(TestDirector.reply(.ack).frame(), interface: 1).isEmpty)
        #expect(bed.counters.total(.pass) == 1)
        bed.engine.settings[.natIcmpSend] = 1
        let told = bed.receive(TestDirector.reply(.ack).frame(), interface: 1)
        #expect(told.map(\.interface) == [1])
        #expect(
            PacketCheck.problems(
                try #require(told.first).bytes, .to("10.0.2.11"), .icmp(3, 3), .checksumsRight,
                .quoting(.from("10.0.2.11:80"), .to(TestDirector.client), .timeToLive(63))) == [])
        #expect(bed.receive(TestDirector.reply(.rst).frame(), interface: 1).isEmpty)
        let other = TestDirector.reply(.ack, from: "10.0.2.11:81").frame()
        #expect(bed.receive(other, interface: 1).isEmpty)
        #expect(bed.counters.total(DropReason.strayReply) == 1 && bed.counters.total(.pass) == 3)
    }

    /// One-armed: the reply leaves by the interface it came by, and its sender is told of the better way, once a second.
    @Test func redirectsAtMostOnceASecond() throws {
        let bed = try TestDirector(sendsRedirects: true)
        try bed.serve()
        let client: Endpoint = "10.0.2.16:40000"
        let request = PacketBuilder.tcp(from: client, to: TestDirector.virtual, .syn)
            .setting(\.destinationMAC, TestDirector.eth1)
        _ = bed.receive(request.frame(), interface: 1)
        let reply = TestDirector.reply([.syn, .ack], to: client).frame()
        let first = bed.receive(reply, interface: 1)
        #expect(first.compactMap { PacketSummary(frame: $0.bytes)?.icmpType } == [5])
        #expect(first.count == 2)
        #expect(bed.receive(reply, interface: 1).count == 1)
        _ = bed.advance(seconds: 1.5)
        #expect(bed.receive(reply, interface: 1).count == 2)
    }
}
