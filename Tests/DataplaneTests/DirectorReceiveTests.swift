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
    ])
    func refusesMartianSources(source: String) throws {
        let bed = try TestDirector()
        try bed.serve()
        let from = try #require(Endpoint(parsing: source))
        #expect(bed.receive(PacketBuilder.tcp(from: from, to: TestDirector.virtual, .syn).frame()).isEmpty)
        #expect(bed.counters.total(DropReason.martianSource) == 1)
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
