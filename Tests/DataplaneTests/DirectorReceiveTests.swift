import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// What a host checks on receipt, and who a packet is for.
@Suite struct DirectorReceiveTests {
    @Test func cutsEthernetPadding() throws {
        let bed = try TestDirector()
        try bed.serve()
        let sent = bed.receive(TestDirector.request(.syn).setting(\.padding, 6).frame())
        #expect(sent.first?.bytes.count == 54)
    }

    @Test func passesFramesThatAreNoIP() throws {
        let bed = try TestDirector()
        try bed.serve()
        var frame = TestDirector.request(.syn).frame()
        frame.replaceSubrange(12..<14, with: [0x88, 0xcc])
        #expect(bed.receive(frame).isEmpty)
        #expect(bed.counters.total(.pass) == 1)
    }

    @Test func passesWhatIsToAGroup() throws {
        let bed = try TestDirector()
        try bed.serve()
        let all = TestDirector.request(.syn).setting(\.destinationMAC, .broadcast).frame()
        let group = PacketBuilder.udp(from: "198.51.100.1:5353", to: "224.0.0.251:5353")
            .setting(\.destinationMAC, MACAddress(bits: 0x0100_5e00_00fb)).frame()
        #expect(bed.receive(all).isEmpty && bed.receive(group).isEmpty)
        #expect(bed.counters.total(.pass) == 2)
    }

    /// A packet to one of our addresses whose protocol is not balanced is the host's.
    @Test func passesOtherProtocols() throws {
        let bed = try TestDirector()
        try bed.serve()
        let frame = PacketBuilder(from: TestDirector.client, to: "203.0.113.80", .other(47), payload: [1, 2, 3, 4])
            .frame()
        #expect(bed.receive(frame).isEmpty)
        #expect(bed.counters.total(.pass) == 1)
    }

    @Test(arguments: [
        "127.0.0.1:5000", "255.255.255.255:5000", "224.0.0.1:5000", "192.0.2.1:5000", "203.0.113.80:5000",
        "0.0.0.0:5000",
    ])
    func refusesMartianSources(source: String) throws {
        let bed = try TestDirector()
        try bed.serve()
        let from = try #require(Endpoint(parsing: source))
        #expect(bed.receive(PacketBuilder.tcp(from: from, to: TestDirector.virtual, .syn).frame()).isEmpty)
        #expect(bed.counters.total(DropReason.martianSource) == 1)
    }

    /// A partial checksum that is not the packet's own is that of a packet inside: it is completed, and then all are right.
    @Test func completesThePartialChecksumOfAPacketInside() throws {
        let bed = try TestDirector()
        try bed.serve("203.0.113.80:4789", IPProtocol.udp, ["10.0.2.11:4789"])
        let inside = PacketBuilder.tcp(from: "10.1.1.1:1000", to: "10.1.1.2:80", .ack, payload: [1, 2, 3])
        let outer = PacketBuilder.udp(from: TestDirector.client, to: "203.0.113.80:4789", payload: inside.packet())
        var frame = outer.frame()
        // The sender's sum of the outside counts on the inside's being completed.
        let start = frame.count - inside.segment().count
        let partial = inside.setting(\.transportChecksum, .partial).segment()
        frame.replaceSubrange(start..., with: partial)
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.checksumStart = UInt16(start)
        offload.checksumOffset = 16
        let sent = try #require(bed.receive(frame, offload: offload).first)
        #expect(!sent.offload.needsChecksum)
        #expect(
            PacketCheck.problems(sent.bytes, .to("10.0.2.11:4789"), .checksumsRight, .inner(.checksumsRight)) == [])
    }

    /// Facts of a checksum outside the packet are no facts.
    @Test(arguments: [(20, 16), (34, 3000), (3000, 6)] as [(UInt16, UInt16)])
    func refusesAChecksumOutsideThePacket(start: UInt16, offset: UInt16) throws {
        let bed = try TestDirector()
        try bed.serve()
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.checksumStart = start
        offload.checksumOffset = offset
        #expect(bed.receive(TestDirector.request(.syn).frame(), offload: offload).isEmpty)
        #expect(bed.counters.total(DropReason.truncated) == 1 && bed.isAccountedFor)
    }

    /// Without a service of its family, nothing is looked at: not even fragments are gathered.
    @Test func looksAtNothingWithoutServices() throws {
        let bed = try TestDirector()
        try bed.serve()
        let v6 = TestDirector.request(.syn, to: TestDirector.virtualV6).frame()
        #expect(bed.receive(v6).isEmpty)
        #expect(bed.counters.total(.pass) == 1 && bed.entries.isEmpty)
    }
}
