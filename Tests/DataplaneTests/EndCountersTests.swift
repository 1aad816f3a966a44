import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Each reason for a drop can be provoked, and is counted under its name, once.
@Suite struct EndCountersTests {
    @Test(arguments: DropReason.allCases)
    func countsEachReason(reason: DropReason) throws {
        let bed = try provoke(reason)
        #expect(bed.counters.total(reason) >= 1, "\(reason.name)")
        #expect(bed.counters.total(.drop) == bed.counters.total(reason), "no other reason was counted")
        #expect(bed.isAccountedFor)
    }

    @Test func namesAndExplanationsDiffer() {
        #expect(Set(DropReason.allCases.map(\.name)).count == DropReason.allCases.count)
        #expect(Set(DropReason.allCases.map(\.explanation)).count == DropReason.allCases.count)
        #expect(DropReason.notOurMAC.name == "not_our_mac")
        #expect(DropReason.badHeaderChecksum.name == "bad_header_checksum")
        #expect(DropReason.badICMP.name == "bad_icmp")
    }

    private func provoke(_ reason: DropReason) throws -> TestDirector {
        let request = TestDirector.request(.syn)
        switch reason {
        case .truncated: return try onReceipt(Array(request.frame().prefix(40)))
        case .notOurMAC: return try onReceipt(request.setting(\.destinationMAC, TestDirector.eth1).frame())
        case .badHeaderChecksum: return try onReceipt(request.setting(\.headerChecksum, .wrong).frame())
        case .martianSource:
            return try onReceipt(PacketBuilder.tcp(from: "127.0.0.1:1", to: "203.0.113.80:80", .syn).frame())
        case .sourceRoute: return try onReceipt(request.setting(\.options, [131, 3, 4, 0]).frame())
        case .timeToLive: return try onReceipt(request.setting(\.timeToLive, 1).frame())
        case .tooBig: return try onReceipt(request.setting(\.payload, [UInt8](repeating: 0, count: 1600)).frame())
        case .noDestination: return try onReceipt(request.frame(), servers: [])
        case .noRoute: return try onReceipt(request.frame(), routes: ["unreachable 10.0.2.11/32"])
        case .cannotEncapsulate: return try tunnelTooNarrow()
        case .destinationGone: return try destinationGone()
        case .noNeighbor, .neighborQueueFull: return try neighbor(reason)
        case .tableFull: return try tableFull()
        case .badICMP: return try badICMP()
        case .fragmentTimeout, .badFragment: return try fragment(reason)
        case .noBuffer: return try noBuffer()
        case .strayReply: return try strayReply()
        case .overload: return try overload()
        case .noLocalPort: return try noLocalPort()
        }
    }

    private func onReceipt(
        _ frame: [UInt8], servers: [Endpoint] = ["10.0.2.11:80"], routes: [String] = []
    ) throws -> TestDirector {
        let bed = try TestDirector(routes: routes)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, servers)
        _ = bed.receive(frame)
        return bed
    }

    private func overload() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.set(.dropPacket, to: 3)
        _ = bed.receive(TestDirector.request(.syn).frame())
        return bed
    }

    private func noLocalPort() throws -> TestDirector {
        let bed = try FullNATBed(.v4)
        for _ in 0..<LocalPortRing.ports { _ = bed.pool?.take(isV4: true, transportProtocol: IPProtocol.tcp) }
        _ = bed.forward(bed.request(.tcp(.syn)))
        return bed.director
    }

    private func strayReply() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.settings[.natIcmpSend] = 1
        _ = bed.receive(TestDirector.reply(.ack).frame(), interface: 1)
        return bed
    }

    private func destinationGone() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        let request = TestDirector.request(.syn).frame()
        _ = bed.receive(request)
        try bed.engine.removeDestination(
            DestinationKey(address: .parse("10.0.2.11"), port: 80),
            of: TestDirector.key(TestDirector.virtual, IPProtocol.tcp))
        _ = bed.receive(request)
        return bed
    }

    private func neighbor(_ reason: DropReason) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.20:80"])
        let count = reason == .noNeighbor ? 1 : NeighborQueue.capacity + 1
        for port in 0..<UInt16(count) { _ = bed.receive(TestDirector.request(.syn, port: 1000 + port).frame()) }
        if reason == .noNeighbor { _ = bed.advance(seconds: 4) }
        return bed
    }

    /// Established connections are never given up.
    private func tableFull() throws -> TestDirector {
        let bed = try TestDirector(entries: 64)
        try bed.serve()
        for port in UInt16(1)...UInt16(2000) where bed.counters.total(.drop) == 0 {
            _ = bed.receive(TestDirector.request(.syn, port: port + 1000).frame())
            _ = bed.receive(TestDirector.request(.ack, port: port + 1000).frame())
        }
        return bed
    }

    private func badICMP() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        let error = PacketBuilder.icmp(
            from: "198.51.100.1", to: "203.0.113.80", type: 3, code: 3,
            payload: PacketBuilder.tcp(from: TestDirector.virtual, to: TestDirector.client, .ack).packet())
        _ = bed.receive(error.setting(\.transportChecksum, .wrong).frame())
        return bed
    }

    private func fragment(_ reason: DropReason) throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53"])
        let datagram = PacketBuilder.udp(
            from: TestDirector.client, to: "203.0.113.80:53", payload: [UInt8](repeating: 1, count: 100))
        let fragments = datagram.fragments(size: 48)
        _ = bed.receive(fragments[0])
        if reason == .badFragment {
            // One that overlaps the first.
            _ = bed.receive(datagram.fragments(size: 40)[1])
        } else {
            _ = bed.advance(seconds: 31)
        }
        return bed
    }

    /// A super-frame in more segments than the outbox has room for.
    private func noBuffer() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve("203.0.113.80:53", IPProtocol.udp, ["10.0.2.11:53"])
        bed.director.slotsWithoutSuperFrames = 1 << 1
        var offload = OffloadFacts()
        offload.segmentation = OffloadFacts.Segmentation.udpL4
        offload.segmentSize = 4
        let datagram = PacketBuilder.udp(
            from: TestDirector.client, to: "203.0.113.80:53", payload: [UInt8](repeating: 1, count: 65_000))
        _ = bed.receive(datagram.frame(), offload: offload)
        return bed
    }

    /// A way that leaves less than the smallest packet (RFC 791: 68 bytes) inside the tunnel.
    private func tunnelTooNarrow() throws -> TestDirector {
        let bed = try TestDirector(serverMTU: 80)
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80"], method: .tunneling)
        _ = bed.receive(TestDirector.request(.syn).frame())
        return bed
    }
}
