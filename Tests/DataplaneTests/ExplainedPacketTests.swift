import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// A packet's way in words.
@Suite struct ExplainedPacketTests {
    private func explain(
        _ bed: TestDirector, _ frame: [UInt8], interface: Int = 0
    ) throws -> ExplainedPacket {
        bed.director.trace = DecisionTrace()
        let sent = bed.receive(frame, interface: interface)
        let noted = bed.director.trace
        let trace = try #require(noted)
        bed.director.trace = nil
        return ExplainedPacket(trace, interface: interface, received: frame, sent: sent.map(\.bytes))
    }

    @Test func tellsOfANewConnection() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:8080", "10.0.2.12:8080"])
        let packet = try explain(bed, TestDirector.request(.syn).frame())
        #expect(packet.end == "forward")
        #expect(
            Array(packet.lines.prefix(7)) == [
                "received on interface 0: TCP 198.51.100.1:40000 > 203.0.113.80:80, 40 bytes, TTL 64, flags SYN",
                "virtual service 203.0.113.80:80, scheduler rr, 2 real servers",
                "rr chose the one with a star: *10.0.2.12:8080 (weight 1, active 1, inactive 0), "
                    + "10.0.2.11:8080 (weight 1, active 0, inactive 0)",
                "a connection entry was made: 198.51.100.1:40000 -> 203.0.113.80:80 -> 10.0.2.12:8080, Masq",
                "state NONE becomes SYN_RECV, timer 60 s",
                "leaves by interface 1, next hop 10.0.2.12 at 02:00:00:00:02:0c",
                "forwarded: 54 bytes on interface 1",
            ])
        #expect(packet.lines.contains("rewritten destination address: cb007150 -> 0a00020c"))
        #expect(packet.lines.contains("rewritten destination port: 0050 -> 1f90"))
        #expect(packet.lines.contains("rewritten TTL: 40 -> 3f"))
        #expect(packet.lines.contains { $0.hasPrefix("rewritten TCP checksum: ") })
        #expect(!packet.lines.contains { $0.contains("source address") })
    }

    @Test func tellsOfAReply() throws {
        let bed = try TestDirector()
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        let packet = try explain(bed, TestDirector.reply([.syn, .ack]).frame(), interface: 1)
        #expect(
            packet.lines.contains { $0.hasPrefix("it belongs to a connection entry (reply): 198.51.100.1:40000 -> ") })
        #expect(packet.lines.contains("rewritten source address: 0a00020b -> cb007150"))
    }

    /// The local address that a connection leaves under, and why a NAT destination's does; a FULLNAT destination's has no
    /// reason but its method.
    @Test func tellsWhyAClientIsMasqueraded() throws {
        let local = IPAddress(v4: 0x0a00_02c8)
        let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)
        for (method, reasons) in [
            (ForwardingMethod.masquerading, ["its client is masqueraded: it is outside 10.100.0.0/16"]), (.fullNAT, []),
        ] {
            let bed = try TestDirector()
            var service = VirtualService(key: key, scheduler: .rr)
            service.masquerade = .outside(try #require(AddressPrefix("10.100.0.0/16")))
            try bed.engine.addService(service)
            try bed.engine.addLocalAddress(local, to: key)
            let server = DestinationKey(address: IPAddress(v4: 0x0a00_020b), port: 8080)
            try bed.engine.addDestination(Destination(key: server, method: method), to: key)
            let packet = try explain(bed, TestDirector.request(.syn).frame())
            #expect(
                packet.lines.contains(
                    "a connection entry was made: 198.51.100.1:40000 -> 203.0.113.80:80 -> 10.0.2.11:8080, FullNat, "
                        + "local 10.0.2.200:1024"))
            #expect(packet.lines.filter { $0.contains("masqueraded") } == reasons)
        }
    }

    @Test func tellsOfAMark() throws {
        let bed = try TestDirector()
        #expect(bed.mark(MarkRule(destination: TestDirector.virtual.address, mark: 7)))
        try bed.serve()
        let packet = try explain(bed, TestDirector.request(.syn).frame())
        #expect(packet.lines.first?.hasSuffix("flags SYN, mark 7 by a rule that marks packets") == true)
    }

    @Test func tellsOfOtherEnds() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, ["10.0.2.20:80"])
        let passed = try explain(bed, TestDirector.request(.syn, to: "203.0.113.80:9").frame())
        #expect(passed.end == "pass")
        #expect(
            passed.lines.suffix(2) == [
                "no virtual service has this protocol, address and port", "left to the host: not balanced",
            ])
        let waiting = try explain(bed, TestDirector.request(.syn).frame())
        #expect(waiting.lines.contains("waits for the MAC of its next hop 10.0.2.20 on interface 1"))
        let dropped = try explain(bed, TestDirector.request(.syn).setting(\.options, [131, 3, 4, 0]).frame())
        #expect(dropped.end == "drop(source_route)")
        #expect(dropped.lines == ["dropped, source_route: carries a source route"])
    }

    @Test func tellsOfNoUsableServer() throws {
        let bed = try TestDirector()
        try bed.serve(TestDirector.virtual, IPProtocol.tcp, [])
        try bed.add("10.0.2.11:80", to: TestDirector.key(TestDirector.virtual, IPProtocol.tcp), weight: 0)
        let packet = try explain(bed, TestDirector.request(.syn).frame())
        #expect(packet.end == "drop(no_destination)")
        #expect(
            packet.lines.contains(
                "rr found no usable real server: 10.0.2.11:80 (weight 0, active 0, inactive 0)"))
        #expect(packet.lines.contains { $0.hasPrefix("sent a frame that begins ") })
    }

    @Test func tellsOfPersistence() throws {
        let bed = try TestDirector()
        try bed.serve(
            TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80"],
            persistence: Persistence(timeout: 9, prefixLength: 24))
        _ = bed.receive(TestDirector.request(.syn).frame())
        let packet = try explain(bed, TestDirector.request(.syn, port: 40001).frame())
        #expect(packet.lines.contains("a persistence template of 198.51.100.0 chose 10.0.2.11:80"))
    }

    /// Notes beyond the trace's room are left out, nothing else happens.
    @Test func theTraceIsBounded() {
        var trace = DecisionTrace()
        for _ in 0..<DecisionTrace.capacity + 5 { trace.note(.pass) }
        #expect(trace.count == DecisionTrace.capacity)
    }
}
