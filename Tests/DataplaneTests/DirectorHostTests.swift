import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// What the director answers and forwards in the host's place.
@Suite struct DirectorHostTests {
    private func bed() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, ["[2001:db8:2::11]:80"])
        return bed
    }

    private func only(_ sent: [TestDirector.Sent]) throws -> [UInt8] {
        #expect(sent.map(\.interface) == [0])
        return try #require(sent.first).bytes
    }

    @Test func answersEcho() throws {
        let bed = try bed()
        let echo = PacketBuilder.icmp(
            from: "198.51.100.1", to: "203.0.113.80", type: 8, code: 0, rest: 0x1234_0001, payload: Array(0..<56))
        let answer = try only(bed.receive(echo.frame(), asHost: true))
        #expect(
            PacketCheck.problems(
                answer, .from("203.0.113.80"), .to("198.51.100.1"), .icmp(0, 0), .payload(Array(0..<56)),
                .timeToLive(64), .checksumsRight) == [])
        #expect(bed.receive(echo.setting(\.transportChecksum, .wrong).frame(), asHost: true).isEmpty)
        #expect(bed.counters.total(.reply) == 1 && bed.counters.total(.pass) == 1 && bed.isAccountedFor)
    }

    @Test func answersEchoV6() throws {
        let echo = PacketBuilder.icmp(
            from: "2001:db8:ffff::1", to: "2001:db8:80::80", type: 128, code: 0, rest: 7, payload: [1, 2, 3])
        #expect(
            PacketCheck.problems(
                try only(bed().receive(echo.frame(), asHost: true)), .from("2001:db8:80::80"), .icmp(129, 0),
                .payload([1, 2, 3]), .checksumsRight) == [])
    }

    /// RFC 9293 §3.10.7.1: of a segment with ACK its number becomes the reset's sequence, else all of it is acknowledged.
    @Test(arguments: [TestDirector.virtual, TestDirector.virtualV6])
    func resetsSegmentsToOtherPorts(virtual: Endpoint) throws {
        let bed = try bed()
        let closed = Endpoint(virtual.address, 9)
        let segment = TestDirector.request(.syn, to: closed).setting(\.sequence, 5000).setting(\.payload, [1, 2])
        let reset = try only(bed.receive(segment.frame(), asHost: true))
        #expect(
            PacketCheck.problems(reset, .from(closed), .to(segment.source), .flags([.rst, .ack]), .checksumsRight)
                == [])
        #expect(Array(reset.suffix(16).prefix(8)) == [0, 0, 0, 0] + UInt32(5003).networkBytes)
        let late = TestDirector.request(.ack, to: closed).setting(\.acknowledgement, 777)
        let second = try only(bed.receive(late.frame(), asHost: true))
        #expect(PacketCheck.problems(second, .flags(.rst), .checksumsRight) == [])
        #expect(Array(second.suffix(16).prefix(4)) == UInt32(777).networkBytes)
        #expect(bed.receive(TestDirector.request(.rst, to: closed).frame(), asHost: true).isEmpty)
        let broken = segment.setting(\.transportChecksum, .wrong)
        #expect(bed.receive(broken.frame(), asHost: true).isEmpty)
        #expect(bed.isAccountedFor)
    }

    @Test func refusesDatagramsToOtherPorts() throws {
        let bed = try bed()
        let frame = PacketBuilder.udp(from: TestDirector.client, to: "203.0.113.80:9", payload: [1]).frame()
        #expect(
            PacketCheck.problems(
                try only(bed.receive(frame, asHost: true)), .from("203.0.113.80"), .icmp(3, 3), .checksumsRight,
                .quoting(.to("203.0.113.80:9"))) == [])
        let other = PacketBuilder(from: TestDirector.client, to: "203.0.113.80", .other(99), payload: [1, 2]).frame()
        #expect(PacketCheck.problems(try only(bed.receive(other, asHost: true)), .icmp(3, 2), .checksumsRight) == [])
    }

    @Test func answersARPForItsAddressesOnly() throws {
        let bed = try bed()
        func request(_ target: [UInt8]) -> [UInt8] {
            MACAddress.broadcast.wireBytes + TestDirector.gateway.wireBytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
                + TestDirector.gateway.wireBytes + [192, 0, 2, 254] + [0, 0, 0, 0, 0, 0] + target
        }
        let answer = try only(bed.receive(request([203, 0, 113, 80]), asHost: true))
        #expect(
            answer == TestDirector.gateway.wireBytes + TestDirector.eth0.wireBytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]
                + TestDirector.eth0.wireBytes + [203, 0, 113, 80] + TestDirector.gateway.wireBytes + [192, 0, 2, 254])
        #expect(bed.receive(request([192, 0, 2, 1]), asHost: true).isEmpty, "the host's own address")
        #expect(bed.receive(request([192, 0, 2, 7]), asHost: true).isEmpty, "somebody else's")
        #expect(bed.isAccountedFor)
    }

    @Test func forwardsOnlyWhereTheHostDoes() throws {
        let bed = try bed()
        let frame = PacketBuilder.udp(from: TestDirector.client, to: "10.0.2.12:53", payload: [1]).frame()
        #expect(bed.receive(frame, asHost: false).isEmpty)
        let sent = bed.receive(frame, asHost: true)
        #expect(sent.map(\.interface) == [1])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .to("10.0.2.12:53"), .timeToLive(63), .checksumsRight) == [])
        #expect(bed.counters.total(.pass) == 1 && bed.counters.total(.forward) == 1 && bed.isAccountedFor)
    }
}
