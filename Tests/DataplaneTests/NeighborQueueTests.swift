import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Packets whose next hop's MAC is missing wait, bounded in number and time.
@Suite struct NeighborQueueTests {
    private static let unknown = IPAddress.parse("10.0.2.20")
    private static let mac = MACAddress(bits: 0x0200_0000_0214)

    private func bed(method: ForwardingMethod = .masquerading) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.20:80"], method: method)
        return bed
    }

    @Test func deliversWhenTheNeighbourAppears() throws {
        let bed = try bed()
        let sent = [UInt16(1000), 1001, 1002].flatMap { bed.receive(TestDirector.request(.syn, port: $0).frame()) }
        #expect(sent.isEmpty && bed.counters.waiting == 3 && bed.isAccountedFor)
        #expect(bed.wanted == [NeighborQueue.Want(interface: 1, address: Self.unknown)])
        bed.learn(1, Self.unknown, Self.mac)
        let delivered = bed.advance(seconds: 0.1)
        #expect(delivered.compactMap { PacketSummary(frame: $0.bytes)?.source.port } == [1000, 1001, 1002])
        for frame in delivered {
            #expect(
                PacketCheck.problems(
                    frame.bytes, .to("10.0.2.20:80"), .macs(from: TestDirector.eth1, to: Self.mac), .timeToLive(63),
                    .checksumsRight) == [])
        }
        #expect(bed.counters.waiting == 0 && bed.counters.total(.forward) == 3 && bed.isAccountedFor)
        #expect(bed.queued == 0 && bed.wanted.isEmpty)
    }

    @Test func isBounded() throws {
        let bed = try bed()
        for port in 0..<UInt16(NeighborQueue.capacity + 5) {
            _ = bed.receive(TestDirector.request(.syn, port: 1000 + port).frame())
        }
        #expect(bed.counters.waiting == UInt64(NeighborQueue.capacity))
        #expect(bed.counters.total(DropReason.neighborQueueFull) == 5 && bed.isAccountedFor)
    }

    /// After three seconds the client hears of it, about its own packet, not about the translated one. In NAT the virtual
    /// address says so, in DR the director's.
    @Test(arguments: [(ForwardingMethod.masquerading, "203.0.113.80"), (.directRouting, "192.0.2.1")])
    func tellsTheClient(method: ForwardingMethod, source: String) throws {
        let bed = try bed(method: method)
        _ = bed.receive(TestDirector.request(.syn).frame())
        #expect(bed.advance(seconds: 2.9).isEmpty)
        let sent = bed.advance(seconds: 0.3)
        #expect(sent.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from(Endpoint(.parse(source))), .to("198.51.100.1"), .icmp(3, 1),
                .checksumsRight,
                .quoting(.from(TestDirector.client), .to(TestDirector.virtual), .timeToLive(63))) == [])
        #expect(bed.counters.total(DropReason.noNeighbor) == 1 && bed.counters.waiting == 0 && bed.isAccountedFor)
    }

    /// The kernel gave up before: nobody waits for the rest of the time.
    @Test func endsAtOnceWhenTheNeighbourFailed() throws {
        let bed = try bed()
        _ = bed.receive(TestDirector.request(.syn).frame())
        bed.learn(1, Self.unknown, .zero, .failed)
        #expect(bed.advance(seconds: 0.1).count == 1)
        #expect(bed.counters.total(DropReason.noNeighbor) == 1 && bed.isAccountedFor)
    }
}
