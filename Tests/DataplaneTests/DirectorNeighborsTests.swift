import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Address resolution for what only Fairlead has: virtual addresses, and local addresses of FULLNAT.
@Suite struct DirectorNeighborsTests {
    private static let local4: Endpoint = "10.0.2.101:0"
    private static let local6: Endpoint = "[2001:db8:2::101]:0"

    private static func bytes(_ address: IPAddress) -> [UInt8] { address.high.networkBytes + address.low.networkBytes }

    private func bed() throws -> TestDirector {
        let bed = try TestDirector()
        try bed.serve()
        try bed.serve(TestDirector.virtualV6, IPProtocol.tcp, ["[2001:db8:2::11]:80"])
        try bed.engine.addLocalAddress(Self.local4.address, to: TestDirector.key(TestDirector.virtual, IPProtocol.tcp))
        try bed.engine.addLocalAddress(
            Self.local6.address, to: TestDirector.key(TestDirector.virtualV6, IPProtocol.tcp))
        return bed
    }

    /// A solicitation (RFC 4861 §4.3) as a host sends it, or as one that probes for duplicates.
    private func solicitation(
        _ target: IPAddress, from source: Endpoint, options: [UInt8], mac: MACAddress? = nil
    ) -> PacketBuilder {
        PacketBuilder.icmp(
            from: source, to: Endpoint(target.solicitedNode, 0), type: ICMPv6Type.neighborSolicitation, code: 0,
            payload: Self.bytes(target) + options
        )
        .setting(\.timeToLive, 255).setting(\.destinationMAC, mac ?? MACAddress(multicastV6: target.solicitedNode))
        .setting(\.sourceMAC, TestDirector.gateway)
    }

    private static let sourceMAC: [UInt8] = [1, 1] + TestDirector.gateway.wireBytes

    private func advertisement(_ target: IPAddress, flags: UInt8, to destination: IPAddress, mac: MACAddress) -> [UInt8]
    {
        PacketBuilder.icmp(
            from: Endpoint(target, 0), to: Endpoint(destination, 0), type: ICMPv6Type.neighborAdvertisement, code: 0,
            rest: UInt32(flags) << 24, payload: Self.bytes(target) + [2, 1] + TestDirector.eth0.wireBytes
        )
        .setting(\.timeToLive, 255).setting(\.destinationMAC, mac).setting(\.sourceMAC, TestDirector.eth0).frame()
    }

    @Test(arguments: [TestDirector.virtualV6.address, local6.address])
    func answersSolicitations(target: IPAddress) throws {
        let bed = try bed()
        let host: Endpoint = "[2001:db8:1::fe]:0"
        let wanted = advertisement(target, flags: 0x60, to: host.address, mac: TestDirector.gateway)
        let sent = bed.receive(solicitation(target, from: host, options: Self.sourceMAC).frame(), asHost: false)
        #expect(sent.map(\.interface) == [0])
        #expect(try #require(sent.first).bytes == wanted)
        #expect(PacketCheck.problems(wanted, .checksumsRight) == [])
        // Without the option, as of a host that asks again whether we are still there, the frame's source gets it.
        let again = solicitation(target, from: host, options: [], mac: TestDirector.eth0)
        #expect(bed.receive(again.frame(), asHost: false).map(\.bytes) == [wanted])
        #expect(bed.counters.total(.reply) == 2 && bed.isAccountedFor)
    }

    /// Duplicate address detection (RFC 4862 §5.4): everybody is told that the address is taken.
    @Test func tellsProbesThatTheAddressIsTaken() throws {
        let bed = try bed()
        let target = TestDirector.virtualV6.address
        let group = IPAddress.allNodesV6
        let sent = bed.receive(solicitation(target, from: "[::]:0", options: []).frame(), asHost: false)
        #expect(
            sent.map(\.bytes) == [
                advertisement(target, flags: 0x20, to: group, mac: MACAddress(bits: 0x3333_0000_0001))
            ])
        let withMAC = solicitation(target, from: "[::]:0", options: Self.sourceMAC)
        #expect(bed.receive(withMAC.frame(), asHost: false).isEmpty, "a probe names no MAC (RFC 4861 §7.1.1)")
        #expect(bed.isAccountedFor)
    }

    @Test func leavesOtherSolicitationsAlone() throws {
        let bed = try bed()
        let host: Endpoint = "[2001:db8:1::fe]:0"
        let target = TestDirector.virtualV6.address
        let good = solicitation(target, from: host, options: Self.sourceMAC)
        for (builder, why) in [
            (good.setting(\.timeToLive, 254), "it was forwarded"),
            (good.setting(\.transportChecksum, .wrong), "its checksum is wrong"),
            (solicitation(target, from: host, options: [1, 0, 0, 0, 0, 0, 0, 0]), "an option of no length"),
            (solicitation(.parse("2001:db8:1::1"), from: host, options: Self.sourceMAC), "the host's own address"),
            (solicitation(.parse("2001:db8:1::7"), from: host, options: Self.sourceMAC), "somebody else's"),
        ] {
            #expect(bed.receive(builder.frame(), asHost: false).isEmpty, "\(why)")
        }
        #expect(bed.counters.total(.pass) == 5 && bed.isAccountedFor)
    }

    @Test func answersARPForLocalAddresses() throws {
        let bed = try bed()
        let request =
            MACAddress.broadcast.wireBytes + TestDirector.server(11).wireBytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]
            + TestDirector.server(11).wireBytes + [10, 0, 2, 11] + [0, 0, 0, 0, 0, 0] + [10, 0, 2, 101]
        let sent = bed.receive(request, interface: 1, asHost: false)
        #expect(
            sent.map(\.bytes) == [
                TestDirector.server(11).wireBytes + TestDirector.eth1.wireBytes + [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]
                    + TestDirector.eth1.wireBytes + [10, 0, 2, 101] + TestDirector.server(11).wireBytes + [
                        10, 0, 2, 11,
                    ]
            ])
        #expect(sent.map(\.interface) == [1])
    }

    /// Unsolicited, to everybody, overriding what they hold (RFC 4861 §7.2.6).
    @Test func announcesIPv6AddressesOfItsOwnSubnets() throws {
        let bed = try bed()
        bed.director.announce([Self.local6.address, TestDirector.virtualV6.address, .parse("2001:db8:1::1")])
        let sent = bed.collect()
        let message = PacketBuilder.icmp(
            from: Self.local6, to: Endpoint(.allNodesV6, 0), type: ICMPv6Type.neighborAdvertisement, code: 0,
            rest: 0x2000_0000, payload: Self.bytes(Self.local6.address) + [2, 1] + TestDirector.eth1.wireBytes
        )
        .setting(\.timeToLive, 255).setting(\.destinationMAC, MACAddress(bits: 0x3333_0000_0001))
        .setting(\.sourceMAC, TestDirector.eth1)
        #expect(sent.map(\.interface) == [1], "one behind a router and the host's own are not announced")
        #expect(sent.map(\.bytes) == [message.frame()])
    }

    /// What a host would answer at a local address without an entry.
    @Test func answersAsAHostAtLocalAddresses() throws {
        let bed = try bed()
        let server: Endpoint = "10.0.2.11:80"
        func send(_ builder: PacketBuilder) throws -> [UInt8] {
            let frame = builder.setting(\.sourceMAC, TestDirector.server(11))
                .setting(\.destinationMAC, TestDirector.eth1).frame()
            let sent = bed.receive(frame, interface: 1, asHost: false)
            #expect(sent.map(\.interface) == [1])
            return try #require(sent.first).bytes
        }
        let echo = PacketBuilder.icmp(
            from: server, to: Self.local4, type: 8, code: 0, rest: 0x0001_0002, payload: [1, 2, 3])
        #expect(
            PacketCheck.problems(
                try send(echo), .from("10.0.2.101"), .to("10.0.2.11"), .icmp(0, 0), .checksumsRight) == [])
        let segment = PacketBuilder.tcp(from: server, to: "10.0.2.101:2000", [.syn, .ack])
        #expect(
            PacketCheck.problems(
                try send(segment), .from("10.0.2.101:2000"), .to(server), .flags(.rst), .checksumsRight) == [])
        let datagram = PacketBuilder.udp(from: server, to: "10.0.2.101:2000", payload: [1])
        #expect(
            PacketCheck.problems(
                try send(datagram), .from("10.0.2.101"), .icmp(3, 3), .checksumsRight,
                .quoting(.to("10.0.2.101:2000"))) == [])
        #expect(bed.counters.total(.reply) == 3 && bed.isAccountedFor)
        // Who says that it is one of our addresses, is not believed.
        let forged = PacketBuilder.tcp(from: "10.0.2.101:2000", to: TestDirector.virtual, .syn).frame()
        #expect(bed.receive(forged).isEmpty)
        #expect(bed.counters.total(DropReason.martianSource) == 1)
    }
}
