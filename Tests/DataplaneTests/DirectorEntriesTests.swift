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

    /// Another worker may make the same entry between the look-up and the insertion: that one is carried on with.
    @Test func theOtherWorkersEntryIsTaken() throws {
        let bed = try TestDirector(entries: 64)
        try bed.serve()
        _ = bed.receive(TestDirector.request(.syn).frame())
        let entry = try #require(bed.entries.first)
        let fields = EntryFields(
            kind: .none, transportProtocol: IPProtocol.tcp, method: .masquerading,
            client: DestinationKey(address: entry.client, port: entry.clientPort),
            virtual: DestinationKey(address: entry.virtual, port: entry.virtualPort),
            destination: DestinationKey(address: entry.destination, port: entry.destinationPort),
            destinationSlot: entry.destinationSlot, serviceSlot: entry.serviceSlot, state: 0, flags: .none)
        for _ in 0..<200 {
            guard case .exists(let other) = bed.director.make(fields, timeout: 750) else {
                Issue.record("a second entry with one key")
                return
            }
            #expect(other.index == entry.index)
            bed.begin()
        }
        let status = try #require(bed.engine.services().first?.destinations.first)
        #expect(bed.entries.count == 1 && status.activeConnections == 1 && status.inactiveConnections == 0)
    }

    /// A template whose time is up while a connection of it lives goes on, 60 s at a time, unless that is set off.
    @Test(arguments: [Int32(1), 0])
    func templatesAreArmedAnew(setting: Int32) throws {
        let bed = try TestDirector()
        try bed.serve(
            TestDirector.virtual, IPProtocol.tcp, ["10.0.2.11:80", "10.0.2.12:80"],
            persistence: Persistence(timeout: 10, prefixLength: 32))
        bed.engine.set(.persistentRearm, to: setting)
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.receive(TestDirector.request(.ack).frame())
        let first = try #require(bed.entries.first).destination
        _ = bed.advance(seconds: 30)
        let templates = bed.entries.filter { $0.kind.contains(.template) }
        #expect(templates.count == 1 && templates[0].flags.contains(.renamed) == (setting == 0))
        _ = bed.receive(TestDirector.request(.syn, port: 2000).frame())
        let second = try #require(bed.entries.first { $0.clientPort == 2000 }).destination
        #expect((second == first) == (setting == 1))
        // All end with their connections.
        _ = bed.receive(TestDirector.request(.rst).frame())
        _ = bed.advance(seconds: 200)
        #expect(bed.entries.isEmpty)
    }

    /// A table full of half-open connections: one of these gives way for each new one, and that is counted.
    @Test func embryonicEntriesGiveWay() throws {
        let bed = try TestDirector(entries: 64)
        try bed.serve()
        let established = UInt16(500)..<510
        for port in established {
            _ = bed.receive(TestDirector.request(.syn, port: port).frame())
            _ = bed.receive(TestDirector.request(.ack, port: port).frame())
        }
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
        let clients = Set(bed.entries.map(\.clientPort))
        #expect(established.allSatisfy(clients.contains), "established connections stay")
        let status = try #require(bed.engine.services().first?.destinations.first)
        #expect(Int(status.activeConnections) == bed.entries.count, "the counts moved with the entries")
    }
}
