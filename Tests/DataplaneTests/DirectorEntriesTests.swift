import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Entries end when their time is up, and embryonic ones give way in a full table.
@Suite struct DirectorEntriesTests {
    @Test func entriesEndOnTime() throws {
        let bed = try TestDirector()
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.advance(seconds: 59)
        #expect(bed.entries.count == 1)
        _ = bed.advance(seconds: 3)
        #expect(bed.entries.isEmpty)
        let status = try #require(bed.engine.services().first?.destinations.first)
        #expect(status.activeConnections == 0 && status.inactiveConnections == 0)
    }

    /// A table full of half-open connections: one gives way for each new one, and that is counted.
    @Test func embryonicEntriesGiveWay() throws {
        let bed = try TestDirector(entries: 64)
        try bed.serve()
        for port in UInt16(1000)..<4000 where bed.counters.evicted == 0 {
            _ = bed.receive(TestDirector.request(.syn, port: port).frame())
        }
        #expect(bed.counters.evicted == 1)
        let full = bed.entries.count
        for port in UInt16(5000)..<5100 {
            _ = bed.receive(TestDirector.request(.syn, port: port).frame())
        }
        #expect(bed.entries.count >= full - 4 && bed.entries.count <= full + 1)
        #expect(bed.entries.contains { $0.clientPort >= 5000 }, "new connections found their place")
        #expect(bed.counters.evicted > 20 && bed.isAccountedFor)
        let status = try #require(bed.engine.services().first?.destinations.first)
        #expect(Int(status.activeConnections) == bed.entries.count, "the counts moved with the entries")
    }
}
