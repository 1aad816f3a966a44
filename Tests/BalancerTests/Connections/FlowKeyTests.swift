import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct FlowKeyTests {
    private let key = FlowKey.between("198.51.100.1:40000", "203.0.113.80:80")

    @Test func reversedExchangesTheEnds() {
        #expect(key.reversed == FlowKey.between("203.0.113.80:80", "198.51.100.1:40000"))
        #expect(key.reversed.reversed == key)
    }

    @Test func everyFieldCountsInTheHash() {
        let secret = HashSecret(1, 2)
        var others = [key.reversed]
        for bit in 0..<32 {
            var other = key
            other.source = IPAddress(v4: key.source.v4 ^ 1 << UInt32(bit))
            others.append(other)
            other = key
            other.destination = IPAddress(v4: key.destination.v4 ^ 1 << UInt32(bit))
            others.append(other)
        }
        for bit in 0..<16 {
            var other = key
            other.sourcePort ^= 1 << UInt16(bit)
            others.append(other)
            other = key
            other.destinationPort ^= 1 << UInt16(bit)
            others.append(other)
        }
        var template = key
        template.isTemplate = true
        var datagram = key
        datagram.transportProtocol = IPProtocol.udp
        others += [template, datagram]
        var hashes = Set(others.map { $0.hash(secret) })
        #expect(hashes.count == others.count)
        #expect(hashes.insert(key.hash(secret)).inserted)
    }

    @Test func everyWordOfIPv6CountsInTheHash() {
        let secret = HashSecret(3, 4)
        let base = FlowKey.between("[2001:db8::1]:40000", "[2001:db8:80::80]:80")
        var hashes: Set = [base.hash(secret)]
        for bit in 0..<128 {
            let high: UInt64 = bit < 64 ? 1 << UInt64(bit) : 0
            let low: UInt64 = bit < 64 ? 0 : 1 << UInt64(bit - 64)
            var other = base
            other.source = IPAddress(high: base.source.high ^ high, low: base.source.low ^ low)
            hashes.insert(other.hash(secret))
            other = base
            other.destination = IPAddress(high: base.destination.high ^ high, low: base.destination.low ^ low)
            hashes.insert(other.hash(secret))
        }
        #expect(hashes.count == 257)
    }

    /// Who does not know the secret cannot tell which keys share a home.
    @Test func theSecretDecidesTheHome() {
        let first = OneWorkerTable(entries: 1024, secret: HashSecret(11, 12)).table
        let second = OneWorkerTable(entries: 1024, secret: HashSecret(13, 14)).table
        let keys = (0..<200).map { FlowKey.between(Endpoint(IPAddress(v4: 1), UInt16($0)), "203.0.113.80:80") }
        #expect(keys.filter { first.home(first.hash($0)) == second.home(second.hash($0)) }.count < 10)
        // Keys that collide under one secret are spread under another.
        let crowded = (0..<100_000).lazy.map {
            FlowKey.between(Endpoint(IPAddress(v4: UInt32($0)), 7), "203.0.113.80:80")
        }
        .filter { first.home(first.hash($0)) == 5 }.prefix(60)
        #expect(crowded.count == 60)
        #expect(Set(crowded.map { second.home(second.hash($0)) }).count > 40)
    }

    @Test func neighbouringClientsAreSpreadEvenly() {
        let table = OneWorkerTable(entries: 1024).table
        var counts = [Int](repeating: 0, count: table.memoryHomes)
        for number in 0..<counts.count * 20 {
            counts[table.home(table.hash(EntryFieldsKey.request(number)))] += 1
        }
        // Poisson with mean 20: beyond these bounds once in 10^6.
        #expect((counts.min() ?? 0) >= 1 && (counts.max() ?? 99) <= 50)
    }
}

extension ConnectionTable {
    var memoryHomes: Int { Int(homeCount) }
}

/// Keys of `EntryFields.numbered`.
enum EntryFieldsKey {
    static func request(_ client: Int) -> FlowKey {
        let fields = EntryFields.numbered(client)
        return .between(
            Endpoint(fields.client.address, fields.client.port), Endpoint(fields.virtual.address, fields.virtual.port))
    }

    static func reply(_ client: Int) -> FlowKey {
        let fields = EntryFields.numbered(client)
        return .between(
            Endpoint(fields.destination.address, fields.destination.port),
            Endpoint(fields.client.address, fields.client.port))
    }
}
