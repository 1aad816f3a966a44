import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Live, only what the host's stack cannot or must not handle is handled in its place.
@Suite struct DirectorSettleTests {
    private func settle(_ bed: TestDirector, _ frame: [UInt8], interface: Int = 0, isGuarded: Bool) -> [TestDirector
        .Sent]
    {
        let heap = HeapPacket(frame)
        return withExtendedLifetime(heap) {
            var frame = heap.frame(interface: interface)
            bed.begin()
            withUnsafeMutablePointer(to: &frame) { pointer in
                _ = bed.director.process(UnsafeMutableBufferPointer(start: pointer, count: 1))
            }
            bed.director.settlePassed(isGuarded: isGuarded, forwards: true)
            return bed.collect()
        }
    }

    @Test func answersForAddressesThatOnlyWeOwn() throws {
        let bed = try TestDirector()
        try bed.serve()
        #expect(settle(bed, TestDirector.request(.syn, to: "203.0.113.80:9").frame(), isGuarded: false).count == 1)
        #expect(settle(bed, TestDirector.request(.syn, to: "192.0.2.1:9").frame(), isGuarded: false).isEmpty)
        #expect(bed.counters.total(.reply) == 1 && bed.counters.total(.pass) == 1)
    }

    /// Where the host owns the address, only the service's port is ours, and only behind the guard.
    @Test func answersForTheGuardedPortOnly() throws {
        let bed = try TestDirector(hostOwnsVirtual: true)
        try bed.serve()
        let late = TestDirector.request(.ack).frame()
        #expect(settle(bed, late, isGuarded: false).isEmpty)
        #expect(settle(bed, late, isGuarded: true).count == 1)
        #expect(settle(bed, TestDirector.request(.ack, to: "203.0.113.80:9").frame(), isGuarded: true).isEmpty)
    }

    /// Of an address that the host has too, the guard keeps the upper ports from it.
    @Test func answersForTheUpperPortsOfTheHostsAddress() throws {
        let bed = try TestDirector()
        bed.engine.network = { [snapshot = bed.snapshot] in snapshot }
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        var service = VirtualService(key: key)
        service.masquerade = .all
        try bed.engine.addService(service)
        try bed.engine.addLocalAddress(.parse("192.0.2.1"), to: key)
        for (port, answers) in [(60_999, 0), (61_000, 1), (65_535, 1)] {
            let late = TestDirector.request(.ack, to: Endpoint(.parse("192.0.2.1"), UInt16(port))).frame()
            #expect(settle(bed, late, isGuarded: true).count == answers)
            #expect(settle(bed, late, isGuarded: false).isEmpty)
        }
    }

    /// The guard keeps from the host what is marked for a service, and only that.
    @Test func answersForMarkedPacketsBehindTheGuard() throws {
        let bed = try TestDirector(hostOwnsVirtual: true)
        try bed.engine.addService(VirtualService(key: .mark(7, family: .v4), scheduler: .rr))
        #expect(
            bed.mark(
                MarkRule(
                    destination: TestDirector.virtual.address, transportProtocol: IPProtocol.tcp, destinationPort: 80,
                    mark: 7)))
        let late = TestDirector.request(.ack).frame()
        #expect(settle(bed, late, isGuarded: false).isEmpty)
        #expect(settle(bed, late, isGuarded: true).count == 1)
        #expect(settle(bed, TestDirector.request(.ack, to: "203.0.113.80:9").frame(), isGuarded: true).isEmpty)
    }

    /// A server's packet without a connection never reaches the guarded host, so it is forwarded here.
    @Test func forwardsGuardedStrayPackets() throws {
        let bed = try TestDirector()
        try bed.serve()
        let stray = TestDirector.reply(.ack).frame()
        #expect(settle(bed, stray, interface: 1, isGuarded: false).isEmpty)
        let sent = settle(bed, stray, interface: 1, isGuarded: true)
        #expect(sent.map(\.interface) == [0])
        #expect(
            PacketCheck.problems(
                try #require(sent.first).bytes, .from("10.0.2.11:80"), .timeToLive(63), .checksumsRight) == [])
        let other = TestDirector.reply(.ack, from: "10.0.2.11:81").frame()
        #expect(settle(bed, other, interface: 1, isGuarded: true).isEmpty)
    }

    /// RFC 5227 §3: a request whose sender and target are the address, to everybody.
    @Test func announcesAddressesOfItsOwnSubnets() throws {
        let bed = try TestDirector()
        let address = try #require(IPAddress("192.0.2.80"))
        bed.director.announce([address, TestDirector.virtual.address, try #require(IPAddress("192.0.2.1"))])
        let sent = bed.collect()
        let addressed = TestDirector.eth0.wireBytes + [192, 0, 2, 80]
        #expect(
            sent.map(\.bytes) == [
                MACAddress.broadcast.wireBytes + TestDirector.eth0.wireBytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
                    + addressed + [0, 0, 0, 0, 0, 0] + [192, 0, 2, 80]
            ], "one behind a router and the host's own are not announced")
        #expect(sent.map(\.interface) == [0])
    }
}
