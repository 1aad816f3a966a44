import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct EngineListingTests {
    private func insert(_ bed: EngineBed, _ fields: EntryFields, ends deadline: Tick) throws -> ConnectionEntry {
        let entry = try #require(bed.engine.table.make(fields, worker: 0, now: 0))
        entry.deadline = deadline
        guard case .inserted = bed.engine.table.insert(entry) else { throw RuleError.tableFull }
        return entry
    }

    @Test func listsEntriesAndTemplates() throws {
        let bed = EngineBed()
        let entry = try insert(
            bed, .of("198.51.100.1:40000", "203.0.113.80:80", "10.0.2.11:8080", state: 1), ends: 2500)
        entry.count(length: 99, isRequest: true)
        let template = try insert(
            bed, .of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.11:8080", kind: .template), ends: 1999)
        bed.engine.advance(milliseconds: 6000)
        let list = bed.engine.connections()
        #expect(list.count == 2)
        let connection = try #require(list.first { !$0.isTemplate })
        #expect(connection.state == "ESTABLISHED" && connection.remainingSeconds == 4 && connection.ageSeconds == 6)
        #expect(connection.bytes == 99 && connection.transportProtocol == IPProtocol.tcp)
        #expect(connection.client == DestinationKey(address: IPAddress(v4: 0xc633_6401), port: 40000))
        #expect(connection.virtual.port == 80 && connection.destination.port == 8080)
        #expect(list.first { $0.isTemplate }?.state == "NONE" && list.first { $0.isTemplate }?.remainingSeconds == 1)
        template.assure()
        bed.engine.advance(milliseconds: 20_000)
        let later = bed.engine.connections()
        #expect(later.first { $0.isTemplate }?.state == "ASSURED")
        #expect(later.allSatisfy { $0.remainingSeconds == 0 })
    }

    /// As [quiesce-persist] shows a template that was put out of the way.
    @Test func aRenamedTemplateHasPorts65535() throws {
        let bed = EngineBed()
        let template = try insert(
            bed, .of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.13:80", kind: .template), ends: 1000)
        bed.engine.table.rename(template)
        let listed = try #require(bed.engine.connections().first)
        #expect(listed.client.port == 0 && listed.virtual.port == 65535 && listed.destination.port == 65535)
    }

    @Test func listsServicesInOrderWithTheirCounts() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service("203.0.113.81:80"))
        try bed.engine.addService(EngineBed.service())
        #expect(bed.engine.services().map(\.service.key) == [EngineBed.key("203.0.113.81:80"), EngineBed.key()])
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80", upper: 9, lower: 3), to: EngineBed.key())
        let state = bed.engine.slots.destination(try #require(bed.record()).destination(0).slot)
        state.bind(isTemplate: false, isActive: true)
        state.bind(isTemplate: false, isActive: false)
        state.bind(isTemplate: false, isActive: false)
        state.bind(isTemplate: true, isActive: false)
        let status = bed.servers()[0]
        #expect(status.activeConnections == 1 && status.inactiveConnections == 2 && status.persistentConnections == 1)
        #expect(status.destination.upperThreshold == 9 && status.destination.lowerThreshold == 3)
        #expect(bed.engine.service(EngineBed.key("203.0.113.99:80")) == nil)
    }
}
