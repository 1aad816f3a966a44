import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ConnectionTableTests {
    @Test func findsBothDirections() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1)))
        #expect(bed.table.found(EntryFieldsKey.request(1)) == Found(index: entry.index, direction: .request))
        #expect(bed.table.found(EntryFieldsKey.reply(1)) == Found(index: entry.index, direction: .reply))
        #expect(bed.table.found(EntryFieldsKey.request(1).reversed) == nil)
        #expect(bed.table.found(EntryFieldsKey.request(2)) == nil)
        var datagram = EntryFieldsKey.request(1)
        datagram.transportProtocol = IPProtocol.udp
        #expect(bed.table.found(datagram) == nil)
        #expect(bed.table.count == 1)
        #expect(bed.table.findRequest(EntryFieldsKey.request(1))?.index == entry.index)
    }

    @Test(arguments: [ForwardingMethod.directRouting, .tunneling, .localNode])
    func onlyMasqueradingLooksForReplies(method: ForwardingMethod) throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1, method)))
        #expect(!entry.hasReplyKey)
        #expect(bed.table.found(EntryFieldsKey.request(1))?.direction == .request)
        #expect(bed.table.found(EntryFieldsKey.reply(1)) == nil)
    }

    @Test func templatesAreFoundOnlyAsSuch() throws {
        let bed = OneWorkerTable()
        let template = try #require(
            bed.add(.of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.11:8080", kind: .template)))
        var key = FlowKey.between("198.51.100.1:0", "203.0.113.80:80")
        #expect(bed.table.found(key) == nil)
        #expect(bed.table.found(.between("10.0.2.11:8080", "198.51.100.1:0")) == nil)
        key.isTemplate = true
        #expect(bed.table.findRequest(key)?.index == template.index)
    }

    @Test func iPv6EntriesAreFoundByAllTheirBits() throws {
        let bed = OneWorkerTable()
        let client: Endpoint = "[2001:db8::1]:40000"
        let entry = try #require(bed.add(.of(client, "[2001:db8:80::80]:80", "[2001:db8:2::11]:8080")))
        #expect(entry.client == client.address && entry.virtual.description == "2001:db8:80::80")
        #expect(bed.table.found(.between(client, "[2001:db8:80::80]:80"))?.direction == .request)
        #expect(bed.table.found(.between("[2001:db8:2::11]:8080", client))?.direction == .reply)
        #expect(bed.table.found(.between("[2001:db8::1:0:1]:40000", "[2001:db8:80::80]:80")) == nil)
        #expect(bed.table.found(.between("[2001:db9::1]:40000", "[2001:db8:80::80]:80")) == nil)
        // Addresses whose last four bytes are those of an IPv4 entry's.
        _ = try #require(bed.add(.of("0.0.0.1:9", "0.0.0.2:9", "0.0.0.3:9", .directRouting)))
        #expect(bed.table.found(.between("[::1]:9", "[::2]:9")) == nil)
        #expect(bed.table.found(.between("0.0.0.1:9", "0.0.0.2:9")) != nil)
    }

    @Test func aTunnelMayLeadToTheOtherFamily() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.of("198.51.100.1:5", "203.0.113.80:80", "[2001:db8:2::11]:80", .tunneling)))
        #expect(bed.table.found(.between("198.51.100.1:5", "203.0.113.80:80"))?.index == entry.index)
        #expect(entry.client.isV4 && entry.virtual.isV4 && entry.destination.description == "2001:db8:2::11")
        bed.end(entry)
        let other = try #require(bed.add(.of("[2001:db8::1]:5", "[2001:db8:80::80]:80", "10.0.2.11:80", .tunneling)))
        #expect(bed.table.found(.between("[2001:db8::1]:5", "[2001:db8:80::80]:80"))?.index == other.index)
        #expect(other.destination.description == "10.0.2.11")
    }

    @Test func aRequestKeyIsThereOnce() throws {
        let bed = OneWorkerTable()
        let first = try #require(bed.add(.numbered(1)))
        let second = try #require(bed.make(.of("198.51.100.0:1025", "203.0.113.80:80", "10.0.2.12:80")))
        #expect(second.requestKey == first.requestKey)
        guard case .exists(let other) = bed.table.insert(second) else {
            Issue.record("inserted twice")
            return
        }
        #expect(other == first.index)
        #expect(bed.table.found(second.replyKey) == nil && bed.table.count == 1)
        bed.expiry.discard(second)
        bed.end(first)
        #expect(bed.table.found(EntryFieldsKey.request(1)) == nil && bed.table.count == 0)
        #expect(bed.add(.numbered(1)) != nil)
    }

    /// BEHAVIOUR, "Seen later": a reply that matches two NAT connections goes to the newest.
    @Test func ofEqualReplyKeysTheNewestCounts() throws {
        let bed = OneWorkerTable()
        let virtuals: [Endpoint] = ["203.0.113.80:80", "203.0.113.81:80", "203.0.113.82:80"]
        let entries = try virtuals.map {
            try #require(bed.add(.of("198.51.100.1:5", $0, "10.0.2.11:80")))
        }
        let reply = FlowKey.between("10.0.2.11:80", "198.51.100.1:5")
        #expect(bed.table.found(reply)?.index == entries[2].index)
        bed.end(entries[2])
        #expect(bed.table.found(reply)?.index == entries[1].index)
        bed.end(entries[0])
        #expect(bed.table.found(reply)?.index == entries[1].index)
        bed.end(entries[1])
        #expect(bed.table.found(reply) == nil)
    }

    @Test func newestIsToldAcrossTheWrapOfTheSequence() throws {
        let bed = OneWorkerTable()
        bed.table.shared.pointee.sequence.store(0xff_fffe, ordering: .relaxed)
        let reply = FlowKey.between("10.0.2.11:80", "198.51.100.1:5")
        for virtual in ["203.0.113.80:80", "203.0.113.81:80", "203.0.113.82:80", "203.0.113.83:80"] {
            let virtual = try #require(Endpoint(parsing: virtual))
            let entry = try #require(bed.add(.of("198.51.100.1:5", virtual, "10.0.2.11:80")))
            #expect(bed.table.found(reply)?.index == entry.index)
        }
    }

    /// A packet that is one entry's reply and another's request belongs to the reply, as the kernel looks it up.
    @Test func aReplyGoesBeforeARequest() throws {
        let bed = OneWorkerTable()
        let asRequest = try #require(bed.add(.of("10.0.2.11:80", "198.51.100.1:5", "10.0.2.12:80", .directRouting)))
        let key = FlowKey.between("10.0.2.11:80", "198.51.100.1:5")
        #expect(bed.table.found(key) == Found(index: asRequest.index, direction: .request))
        let asReply = try #require(bed.add(.of("198.51.100.1:5", "203.0.113.80:80", "10.0.2.11:80")))
        #expect(bed.table.found(key) == Found(index: asReply.index, direction: .reply))
        bed.end(asReply)
        #expect(bed.table.found(key) == Found(index: asRequest.index, direction: .request))
    }

    @Test func oneOfSeveralRemovalsWins() throws {
        let bed = OneWorkerTable()
        let entry = try #require(bed.add(.numbered(1)))
        #expect(bed.table.remove(entry))
        #expect(!bed.table.remove(entry) && bed.table.count == 0)
        #expect(bed.table.found(EntryFieldsKey.request(1)) == nil && bed.table.found(EntryFieldsKey.reply(1)) == nil)
    }

    @Test func anEntryUsedAgainIsNotFoundByItsOldKeys() throws {
        let bed = OneWorkerTable()
        let old = try #require(bed.add(.numbered(1)))
        bed.end(old)
        bed.pass()
        let new = try #require(bed.add(.numbered(2)))
        #expect(new.index == old.index)
        #expect(bed.table.found(EntryFieldsKey.request(1)) == nil && bed.table.found(EntryFieldsKey.reply(1)) == nil)
        #expect(bed.table.found(EntryFieldsKey.request(2))?.index == new.index)
        #expect(new.bytes == 0 && new.requestPackets == 0 && new.control == nil && new.flags == .hashed)
    }

    @Test func aRenamedTemplateLingersUnfound() throws {
        let bed = OneWorkerTable()
        let fields = EntryFields.of("198.51.100.1:0", "203.0.113.80:80", "10.0.2.11:80", kind: .template)
        let old = try #require(bed.add(fields))
        let key = old.requestKey
        bed.table.rename(old)
        bed.table.rename(old)
        #expect(bed.table.findRequest(key) == nil && bed.table.count == 1 && old.flags.contains(.renamed))
        let new = try #require(bed.add(fields))
        #expect(bed.table.findRequest(key)?.index == new.index)
        bed.end(old)
        bed.pass()
        #expect(bed.table.findRequest(key)?.index == new.index && bed.table.count == 1)
    }

    @Test func prefetchesAnything() throws {
        let bed = OneWorkerTable()
        for number in 0..<60 { _ = bed.add(.numbered(number)) }
        var asked = 0
        for number in 0..<100 {
            let hash = bed.table.hash(EntryFieldsKey.request(number))
            bed.table.prefetch(hash)
            // Of an entry in its home line, with whose number the caller goes on; of nothing else.
            let ahead = bed.table.glimpse(hash)
            let found = bed.table.findRequest(EntryFieldsKey.request(number))
            #expect(!ahead.isOfOne || found?.index == ahead.index)
            asked += ahead.isOfOne ? 1 : 0
        }
        #expect(asked > 30)
        #expect(bed.table.count == 60)
    }
}
