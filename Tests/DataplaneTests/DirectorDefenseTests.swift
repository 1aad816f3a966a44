import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// What overload turns away and ends.
@Suite struct DirectorDefenseTests {
    /// Each tenth SYN, the first included (`ip_vs_todrop` begins at 0); others of a connection are let through.
    @Test func dropPacketTurnsAwayEachTenth() throws {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.set(.dropPacket, to: 3)
        var dropped: [Int] = []
        for number in 0..<30 {
            let sent = bed.receive(TestDirector.request(.syn, port: 1000 + UInt16(number)).frame())
            if sent.isEmpty { dropped.append(number) }
        }
        #expect(dropped == [0, 10, 20])
        for _ in 0..<20 { #expect(bed.receive(TestDirector.request(.ack, port: 1001).frame()).count == 1) }
        #expect(bed.counters.total(DropReason.overload) == 3 && bed.isAccountedFor)
        bed.engine.set(.dropPacket, to: 0)
        for port in UInt16(2000)..<2020 {
            #expect(bed.receive(TestDirector.request(.syn, port: port).frame()).count == 1)
        }
    }

    /// Mode 1 begins when entries are short, and ends when they are not.
    @Test func dropPacketFollowsTheTable() throws {
        let bed = try TestDirector(entries: 256)
        try bed.serve()
        bed.engine.set(.amemthresh, to: 128)
        bed.engine.set(.dropPacket, to: 1)
        for port in UInt16(1000)..<1160 { _ = bed.receive(TestDirector.request(.syn, port: port).frame()) }
        #expect(bed.counters.total(DropReason.overload) == 0 && bed.engine.settings[.dropPacket] == 1)
        _ = bed.advance(seconds: 1.1)
        // 96 of 256 are free: 128 / (128 - 96) is 4.
        #expect(bed.engine.settings[.dropPacket] == 2)
        for port in UInt16(2000)..<2020 { _ = bed.receive(TestDirector.request(.syn, port: port).frame()) }
        #expect(bed.counters.total(DropReason.overload) == 5)
        _ = bed.advance(seconds: 70)
        #expect(bed.engine.settings[.dropPacket] == 1 && bed.entries.isEmpty)
        for port in UInt16(3000)..<3020 {
            #expect(bed.receive(TestDirector.request(.syn, port: port).frame()).count == 1)
        }
    }

    /// Half-open connections go soon, established ones with traffic stay.
    @Test func dropEntryEndsHalfOpenConnections() throws {
        let bed = try TestDirector()
        try bed.serve()
        for port in UInt16(1000)..<1100 {
            _ = bed.receive(TestDirector.request(.syn, port: port).frame())
            if port < 1020 { _ = bed.receive(TestDirector.request(.ack, port: port).frame()) }
        }
        bed.engine.set(.dropEntry, to: 3)
        _ = bed.advance(seconds: 55)
        let left = bed.entries
        #expect(left.count { $0.state == TCPState.established.rawValue } == 20)
        // Of 80, each drawn with 4 of 100 a second, 55 times: a tenth is left.
        #expect(left.count < 50 && bed.counters.evicted == UInt64(100 - left.count))
        let status = try #require(bed.engine.services().first?.destinations.first)
        #expect(Int(status.activeConnections) == left.count, "the counts moved with the entries")
    }

    /// Silent for a minute, with few packets: one in as many as their client sent.
    @Test func dropEntryEndsSilentConnections() throws {
        let bed = try TestDirector()
        try bed.serve()
        for port in UInt16(1000)..<1064 {
            _ = bed.receive(TestDirector.request(.syn, port: port).frame())
            // 2 packets, or 10.
            for _ in 0..<(port < 1032 ? 1 : 9) { _ = bed.receive(TestDirector.request(.ack, port: port).frame()) }
        }
        bed.engine.set(.dropEntry, to: 3)
        _ = bed.advance(seconds: 59)
        #expect(bed.entries.count == 64)
        _ = bed.advance(seconds: 200)
        let ports = bed.entries.map(\.clientPort)
        #expect(ports.count { $0 >= 1032 } == 32)
        #expect(ports.count { $0 < 1032 } < 20)
    }

    /// A template nobody answered goes, one with connections does not.
    @Test func dropEntryEndsUnansweredTemplates() throws {
        let bed = try TestDirector()
        try bed.serve(persistence: Persistence(timeout: 3000, prefixLength: 32))
        _ = bed.receive(TestDirector.request(.syn, port: 1000).frame())
        bed.engine.set(.dropEntry, to: 3)
        _ = bed.advance(seconds: 58)
        #expect(bed.entries.isEmpty, "with 2 entries in use one is drawn each second")
        #expect(bed.engine.table.count == 0)
    }

    /// A source's limit is its own.
    @Test func limitsEachSource() throws {
        let bed = try TestDirector()
        var service = VirtualService(key: TestDirector.key(TestDirector.virtual, IPProtocol.tcp), scheduler: .rr)
        service.sourceRate = SourceRate(connections: 2, burst: 3, family: .v4)
        try bed.engine.addService(service)
        try bed.add("10.0.2.11:80", to: service.key)
        func open(_ count: Int, from client: String, first: Int) throws -> Int {
            try (0..<count).count { number in
                let from = try #require(Endpoint(parsing: "\(client):\(first + number)"))
                return bed.receive(PacketBuilder.tcp(from: from, to: TestDirector.virtual, .syn).frame()).count == 1
            }
        }
        #expect(try open(10, from: "198.51.100.1", first: 1000) == 3)
        #expect(try open(10, from: "198.51.100.2", first: 1000) == 3)
        #expect(bed.counters.total(DropReason.overload) == 14 && bed.isAccountedFor)
        #expect(bed.receive(TestDirector.request(.ack, port: 1000).frame()).count == 1, "what is open goes on")
        _ = bed.advance(seconds: 1)
        #expect(try open(10, from: "198.51.100.1", first: 2000) == 2)
        service.sourceRate = nil
        try bed.engine.editService(service)
        #expect(try open(10, from: "198.51.100.1", first: 3000) == 10)
    }
}
