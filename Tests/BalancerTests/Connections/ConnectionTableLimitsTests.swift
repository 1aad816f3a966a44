import TestSupport
import Testing
import Wire

@testable import Balancer

/// What happens at the limits: many keys in one home, and every entry in use.
@Suite struct ConnectionTableLimitsTests {
    /// Numbers of clients whose request keys share the home `home`.
    private func clients(_ count: Int, at home: Int, of table: ConnectionTable) -> [Int] {
        Array((0..<1_000_000).lazy.filter { table.home(table.hash(EntryFieldsKey.request($0))) == home }.prefix(count))
    }

    @Test func aHomeHoldsFiftySixKeys() throws {
        let bed = OneWorkerTable(entries: 64)
        let clients = clients(60, at: 3, of: bed.table)
        var entries: [ConnectionEntry] = []
        for client in clients.prefix(56) { entries.append(try #require(bed.add(.numbered(client, .directRouting)))) }
        for (entry, client) in zip(entries, clients) {
            #expect(bed.table.found(EntryFieldsKey.request(client))?.index == entry.index)
        }
        let surplus = try #require(bed.make(.numbered(clients[56], .directRouting)))
        guard case .full = bed.table.insert(surplus) else {
            Issue.record("a 57th key in one home")
            return
        }
        bed.expiry.discard(surplus)
        #expect(bed.table.found(EntryFieldsKey.request(clients[56])) == nil && bed.table.count == 56)
        // A slot comes back a grace period after its entry was removed, and not before.
        bed.end(entries[20])
        #expect(bed.add(.numbered(clients[57], .directRouting)) == nil)
        bed.pass()
        #expect(bed.add(.numbered(clients[57], .directRouting)) != nil)
        #expect(bed.table.found(EntryFieldsKey.request(clients[20])) == nil)
        #expect(bed.table.found(EntryFieldsKey.request(clients[55]))?.index == entries[55].index)
    }

    @Test func aCrowdedHomeAgreesWithADictionary() throws {
        let bed = OneWorkerTable(entries: 128)
        let clients = clients(80, at: 7, of: bed.table)
        var random = SeededRandom(seed: 7)
        var model: [Int: UInt32] = [:]
        for step in 0..<20_000 {
            let client = random.pick(clients)
            if let index = model[client] {
                bed.end(bed.table.entry(index))
                model[client] = nil
            } else if let entry = bed.add(.numbered(client, .directRouting)) {
                model[client] = entry.index
            }
            if step % 4 == 0 { bed.pass(1) }
            let asked = random.pick(clients)
            guard bed.table.found(EntryFieldsKey.request(asked))?.index == model[asked] else {
                Issue.record("step \(step), client \(asked), seed \(random.seed)")
                return
            }
        }
        #expect(model.count > 10)
    }

    /// A reply key that finds no room leaves nothing behind.
    @Test func anEntryWithoutRoomForItsReplyIsNotInserted() throws {
        let bed = OneWorkerTable(entries: 64)
        let reply = FlowKey.between("10.0.2.11:8080", "198.51.100.0:1025")
        let home = bed.table.home(bed.table.hash(reply))
        for client in clients(56, at: home, of: bed.table) { _ = bed.add(.numbered(client, .directRouting)) }
        #expect(bed.table.count == 56)
        let entry = try #require(bed.make(.of("198.51.100.0:1025", "203.0.113.99:80", "10.0.2.11:8080")))
        #expect(bed.table.home(bed.table.hash(entry.requestKey)) != home)
        guard case .full = bed.table.insert(entry) else {
            Issue.record("inserted without a reply key")
            return
        }
        #expect(bed.table.found(entry.requestKey) == nil && bed.table.count == 56)
        #expect(!entry.flags.contains(.hashed) && !entry.flags.contains(.removed))
        bed.expiry.discard(entry)
    }

    @Test(arguments: [64, 100, 1024]) func theOverflowLinesOfAHomeAreDifferent(entries: Int) {
        let table = OneWorkerTable(entries: entries).table
        let size = TableSize(entries: entries)
        for home in 0..<size.homeLines {
            let lines = (1..<TableLine.chain).map { table.overflowLine(home, $0 * TableLine.slots) }
            #expect(Set(lines).count == 7)
            #expect(lines.allSatisfy { (size.homeLines..<size.homeLines + size.overflowLines).contains($0) })
        }
    }

    @Test func everyEntryCanBeUsed() throws {
        let bed = OneWorkerTable(entries: 1024)
        for number in 0..<1024 { _ = try #require(bed.add(.numbered(number))) }
        #expect(bed.make(.numbered(5000)) == nil && bed.table.count == 1024)
        for number in 0..<1024 {
            #expect(bed.table.found(EntryFieldsKey.request(number))?.direction == .request)
            #expect(bed.table.found(EntryFieldsKey.reply(number))?.direction == .reply)
        }
    }

    /// A full table that lives long: lines for crowded homes must not be used up by homes that once were crowded.
    @Test func aFullTableStaysUsable() throws {
        let bed = OneWorkerTable(entries: 1024)
        var entries = try (0..<1024).map { try #require(bed.add(.numbered($0))) }
        var random = SeededRandom(seed: 99)
        for number in 0..<TestScale.count(debug: 30_000, release: 60_000) {
            let place = Int.random(in: entries.indices, using: &random)
            bed.end(entries[place])
            bed.pass(2)
            let entry = try #require(bed.make(.numbered(1024 + number)))
            guard case .inserted = bed.table.insert(entry) else {
                Issue.record("no room for entry \(number) of a table with a free entry")
                return
            }
            bed.expiry.arm(entry)
            entries[place] = entry
        }
        #expect(bed.table.count == 1024)
    }

    /// The oldest handshakes that were not completed go first (`Expiry.soonestEmbryonic`).
    @Test func roomIsMadeByTheOldestEmbryonicEntry() throws {
        let bed = OneWorkerTable(entries: 64)
        let established = TCPState.established.rawValue
        let half = TCPState.synReceived.rawValue
        // Established ones that end sooner than any embryonic one, and embryonic ones in order of age.
        for number in 0..<10 { _ = try #require(bed.add(.numbered(number, state: established), timeout: 500)) }
        var embryonic: [UInt32] = []
        for number in 0..<10 {
            bed.now = Tick(number * 20)
            embryonic.append(try #require(bed.add(.numbered(100 + number, state: half), timeout: 15_000)).index)
        }
        for expected in embryonic {
            let candidate = bed.expiry.soonestEmbryonic(most: 256)
            let victim = try #require(candidate)
            #expect(victim.index == expected)
            bed.end(victim)
        }
        let none = bed.expiry.soonestEmbryonic(most: 256)
        #expect(none == nil)
        #expect(bed.table.count == 10)
    }

    @Test func withinOneSlotOfTheWheelTheOldestGoesFirst() throws {
        let bed = OneWorkerTable(entries: 64)
        let entries = try (0..<5).map { try #require(bed.add(.numbered($0, state: 3), timeout: 1000)) }
        for entry in entries {
            let candidate = bed.expiry.soonestEmbryonic(most: 256)
            let victim = try #require(candidate)
            #expect(victim.index == entry.index)
            bed.end(victim)
        }
    }

    @Test func lookingForRoomIsBounded() throws {
        let bed = OneWorkerTable(entries: 1024)
        // 300 that are established end sooner than the one that is not: it lies beyond the bound.
        let established = TCPState.established.rawValue
        for number in 0..<300 { _ = try #require(bed.add(.numbered(number, state: established), timeout: 500)) }
        _ = try #require(bed.add(.numbered(1000, state: TCPState.synReceived.rawValue), timeout: 15_000))
        let near = bed.expiry.soonestEmbryonic(most: 256)
        #expect(near == nil)
        // The next call goes on behind what was looked at.
        let far = bed.expiry.soonestEmbryonic(most: 256)
        #expect(far != nil)
    }

    /// Datagrams' entries, which end sooner, do not hide half-open ones: what was looked at in vain is not looked at again.
    /// Slots of the wheel begin anew where ticks do.
    @Test(arguments: [0, 1000, Tick.max - 100, Tick.max - 1_500, (1 << 31) - 50] as [Tick])
    func entriesThatEndSoonerHideNothing(start: Tick) throws {
        let bed = OneWorkerTable(entries: 8192, now: start)
        let half = TCPState.synReceived.rawValue
        var embryonic: [UInt32] = []
        for number in 0..<200 {
            #expect(bed.batch(at: start &+ Tick(number)).isEmpty)
            for other in 0..<20 {
                let fields = EntryFields.numbered(1000 + number * 20 + other, state: TCPState.established.rawValue)
                _ = try #require(bed.add(fields, timeout: 1250))
            }
            embryonic.append(try #require(bed.add(.numbered(number, state: half), timeout: 7500)).index)
        }
        var misses = 0
        for expected in embryonic {
            var candidate = bed.expiry.soonestEmbryonic(most: 256)
            while candidate == nil, misses < 40 {
                misses += 1
                candidate = bed.expiry.soonestEmbryonic(most: 256)
            }
            let victim = try #require(candidate)
            #expect(victim.index == expected)
            bed.end(victim)
        }
        #expect(misses > 10 && misses < 40, "4,000 entries of others, 256 at a time at most")
        // One that ends sooner than any is found at once.
        let new = try #require(bed.add(.numbered(9000, state: half), timeout: 500))
        let found = bed.expiry.soonestEmbryonic(most: 256)
        #expect(found?.index == new.index)
        bed.end(new)
        for elapsed in stride(from: Tick(200), to: 1200, by: 100) {
            _ = bed.batch(at: start &+ elapsed)
            let none = bed.expiry.soonestEmbryonic(most: 256)
            #expect(none == nil)
        }
    }

    /// A slot with too many entries is come back to when there is nothing else.
    @Test func whatWasPassedOverIsLookedAtAgain() throws {
        let bed = OneWorkerTable(entries: 1024)
        let embryonic = try #require(bed.add(.numbered(0, state: TCPState.synReceived.rawValue), timeout: 500))
        let established = TCPState.established.rawValue
        var others: [ConnectionEntry] = []
        for number in 1..<300 {
            others.append(try #require(bed.add(.numbered(number, state: established), timeout: 500)))
        }
        for _ in 0..<2 {
            let hidden = bed.expiry.soonestEmbryonic(most: 256)
            #expect(hidden == nil)
        }
        for entry in others { bed.end(entry) }
        let found = bed.expiry.soonestEmbryonic(most: 256)
        #expect(found?.index == embryonic.index)
    }
}
