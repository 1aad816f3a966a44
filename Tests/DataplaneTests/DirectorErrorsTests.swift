import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Errors of the director's own.
@Suite struct DirectorErrorsTests {
    /// No error about an ICMP error (RFC 1122 §3.2.2), nor when the way back is not known.
    @Test func saysNothingAboutErrors() throws {
        let bed = try TestDirector()
        try bed.serve()
        let error = PacketBuilder.icmp(
            from: "198.51.100.1", to: "10.0.2.11", type: 3, code: 1,
            payload: PacketBuilder.tcp(from: "10.0.2.11:9", to: TestDirector.client, .ack).packet())
        #expect(bed.receive(error.setting(\.timeToLive, 1).frame(), asHost: true).isEmpty)
        let echo = PacketBuilder.icmp(from: "198.51.100.1", to: "10.0.2.11", type: 8, code: 0)
        #expect(bed.receive(echo.setting(\.timeToLive, 1).frame(), asHost: true).count == 1)
        #expect(bed.counters.total(DropReason.timeToLive) == 2 && bed.isAccountedFor)
    }

    /// An error's own next hop may have to be resolved; it is nobody's received frame, so nothing is counted as waiting.
    @Test func waitsForTheWayBack() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, [])
        let neighbor: Endpoint = "192.0.2.7:40000"
        let frame = PacketBuilder.tcp(from: neighbor, to: TestDirector.virtual, .syn).frame()
        #expect(bed.receive(frame).isEmpty)
        #expect(bed.counters.total(DropReason.noDestination) == 1 && bed.counters.waiting == 0)
        #expect(bed.queued == 1 && bed.isAccountedFor)
        bed.learn(0, neighbor.address, MACAddress(bits: 0x0200_0000_0107))
        let sent = bed.advance(seconds: 0.1)
        #expect(sent.compactMap { PacketSummary(frame: $0.bytes)?.icmpCode } == [3])
        #expect(bed.queued == 0 && bed.isAccountedFor)
    }

    /// Each has an identification of its own.
    @Test func numbersItsPackets() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, [])
        let numbers = (0..<5).compactMap { port in
            bed.receive(TestDirector.request(.syn, port: 1000 + port).frame()).first
                .flatMap { PacketSummary(frame: $0.bytes)?.identification }
        }
        #expect(Set(numbers).count == 5)
    }
}
