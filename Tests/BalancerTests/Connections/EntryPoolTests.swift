import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct EntryPoolTests {
    @Test func entriesAreHandedOutOnceAndAllOfThem() {
        let bed = OneWorkerTable(entries: 100)
        #expect(bed.drain() == Array(0..<100))
        #expect(bed.table.usedEntries == 100 && bed.table.capacity == 100)
    }

    @Test func whatWasNeverUsedNeedsNoWalk() throws {
        let bed = OneWorkerTable(entries: 100)
        #expect(bed.table.usedEntries == 0)
        let entry = try #require(bed.add(.numbered(1)))
        bed.end(entry)
        bed.pass()
        _ = try #require(bed.add(.numbered(2)))
        #expect(bed.table.usedEntries == 1)
    }

    @Test func anEntryIsWhatItWasMadeFrom() throws {
        let bed = OneWorkerTable(now: 77)
        let entry = try #require(
            bed.make(
                EntryFields(
                    kind: .localDestination, transportProtocol: IPProtocol.udp, method: .tunneling,
                    client: DestinationKey(address: IPAddress(v4: 1), port: 2),
                    virtual: DestinationKey(address: IPAddress(v4: 3), port: 4),
                    destination: DestinationKey(address: IPAddress(v4: 5), port: 6), destinationSlot: 7, serviceSlot: 8,
                    state: 9, flags: .noOutput), timeout: 10))
        #expect(entry.kind == .localDestination && entry.transportProtocol == IPProtocol.udp)
        #expect(entry.method == .tunneling && entry.destinationSlot == 7 && entry.serviceSlot == 8)
        #expect(entry.requestKey == .between(Endpoint(IPAddress(v4: 1), 2), Endpoint(IPAddress(v4: 3), 4), 17))
        #expect(entry.destination == IPAddress(v4: 5) && entry.destinationPort == 6)
        #expect(entry.state == 9 && entry.flags == .noOutput && entry.created == 77)
        #expect(entry.timeout == 10 && entry.deadline == 87 && entry.isOwned(by: 0) && !entry.isOwned(by: 1))
        entry.count(length: 100, isRequest: true)
        entry.count(length: 50, isRequest: false)
        #expect(entry.bytes == 150 && entry.requestPackets == 1)
    }

    @Test func aFreeEntryReadsAsRemoved() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1)))
        bed.end(entry)
        #expect(entry.flags.contains(.hashed))
        bed.pass()
        #expect(entry.flags == .removed)
    }

    @Test func templatesCountWhatTheyControl() throws {
        let bed = OneWorkerTable()
        let template = try #require(
            bed.add(.of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.11:80", kind: .template)))
        let entry = try #require(bed.add(.numbered(1)))
        entry.control(by: template)
        #expect(entry.control == template.index && template.controlled == 1)
        template.assure()
        template.assure()
        #expect(template.state == 1)
        bed.table.release(control: template.index, of: entry)
        #expect(entry.control == nil && template.controlled == 0)
    }

    /// A connection may come under the control of a template that another worker ends at that moment. The template's
    /// memory stays then, or the connection's end would count down somebody else's entry.
    @Test func aTemplateStaysWhileItControlsAnEntry() throws {
        let bed = OneWorkerTable()
        let template = try #require(
            bed.add(.of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.11:80", kind: .template)))
        let entry = try #require(bed.add(.numbered(1)))
        entry.control(by: template)
        bed.end(template)
        bed.pass(10)
        #expect(bed.table.findRequest(template.requestKey) == nil && template.flags.contains(.removed))
        for number in 0..<62 { #expect(bed.make(.numbered(100 + number))?.index != template.index) }
        #expect(bed.make(.numbered(200)) == nil)
        bed.table.release(control: template.index, of: entry)
        bed.pass(6)
        #expect(bed.make(.numbered(200))?.index == template.index)
    }
}
