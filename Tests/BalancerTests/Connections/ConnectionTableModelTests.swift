import TestSupport
import Testing
import Wire

@testable import Balancer

/// The table against a dictionary, over random operations.
@Suite struct ConnectionTableModelTests {
    /// What the table should hold.
    private struct Model {
        /// By request key, templates included.
        var requests: [FlowKey: UInt32] = [:]
        /// By reply key, newest last.
        var replies: [FlowKey: [UInt32]] = [:]
        var live: [FlowKey] = []
        var places: [FlowKey: Int] = [:]

        mutating func insert(_ entry: ConnectionEntry) {
            let key = entry.requestKey
            requests[key] = entry.index
            places[key] = live.count
            live.append(key)
            if entry.hasReplyKey { replies[entry.replyKey, default: []].append(entry.index) }
        }

        mutating func remove(_ entry: ConnectionEntry) {
            let key = entry.requestKey
            requests[key] = nil
            if let place = places.removeValue(forKey: key), let last = live.popLast(), place < live.count {
                live[place] = last
                places[last] = place
            }
            guard entry.hasReplyKey else { return }
            replies[entry.replyKey]?.removeAll { $0 == entry.index }
        }

        func find(_ key: FlowKey) -> Found? {
            if let newest = replies[key]?.last { return Found(index: newest, direction: .reply) }
            return requests[key].map { Found(index: $0, direction: .request) }
        }
    }

    /// Endpoints so few that keys meet: clients, virtual services and servers overlap, in both families.
    private static func fields(_ random: inout SeededRandom) -> EntryFields {
        func endpoint(_ hosts: Int, _ isV4: Bool, _ random: inout SeededRandom) -> Endpoint {
            let host = UInt64.random(in: 1...UInt64(hosts), using: &random)
            let address =
                isV4 ? IPAddress(v4: 0x0a00_0000 | UInt32(host)) : IPAddress(high: 0x2001_0db8 << 32, low: host)
            return Endpoint(address, UInt16.random(in: 1...8, using: &random))
        }
        let isV4 = random.next() % 3 != 0
        let kind: EntryKind = random.next() % 8 == 0 ? .template : .none
        return .of(
            endpoint(40, isV4, &random), endpoint(4, isV4, &random), endpoint(4, isV4, &random),
            random.next() % 3 == 0 ? .directRouting : .masquerading, kind: kind,
            transportProtocol: random.pick([IPProtocol.tcp, IPProtocol.udp]))
    }

    private static func keys(of fields: EntryFields) -> (request: FlowKey, reply: FlowKey) {
        var request = FlowKey.between(
            Endpoint(fields.client.address, fields.client.port), Endpoint(fields.virtual.address, fields.virtual.port),
            fields.transportProtocol)
        request.isTemplate = fields.kind.contains(.template)
        let reply = FlowKey.between(
            Endpoint(fields.destination.address, fields.destination.port),
            Endpoint(fields.client.address, fields.client.port), fields.transportProtocol)
        return (request, reply)
    }

    @Test(arguments: [UInt64(1), 2, 3]) func agreesWithADictionary(seed: UInt64) {
        let capacity = seed == 1 ? 64 : 2048
        let bed = OneWorkerTable(entries: capacity, secret: HashSecret(seed, ~seed))
        var random = SeededRandom(seed: seed)
        var model = Model()
        for step in 0..<TestScale.count(debug: 350_000, release: 3_000_000) {
            guard let problem = Self.step(bed, &model, &random, capacity) else { continue }
            Issue.record("step \(step), seed \(seed): \(problem)")
            return
        }
        #expect(bed.table.count == model.requests.count)
        // In the end everything goes, and every entry is free once.
        for index in model.requests.values { bed.end(bed.table.entry(index)) }
        bed.pass(4)
        #expect(bed.table.count == 0)
        #expect(bed.drain().sorted() == Array(0..<UInt32(capacity)))
    }

    /// One random operation; what is wrong with its outcome, nil if nothing.
    private static func step(
        _ bed: OneWorkerTable, _ model: inout Model, _ random: inout SeededRandom, _ capacity: Int
    ) -> String? {
        let fields = fields(&random)
        let keys = keys(of: fields)
        switch random.next() % 10 {
        case 0..<4:
            return insert(fields, keys.request, bed, &model, capacity)
        case 4..<6:
            guard !model.live.isEmpty, let index = model.requests[random.pick(model.live)] else { return nil }
            let entry = bed.table.entry(index)
            model.remove(entry)
            guard bed.table.remove(entry), !bed.table.remove(entry) else { return "removal of a live entry" }
            bed.expiry.retire(entry)
        case 6:
            bed.pass(1)
        case 7:
            let found = bed.table.findRequest(keys.request)?.index
            if found != model.requests[keys.request] { return "request \(keys.request): \(String(describing: found))" }
        default:
            let key = random.next() & 1 == 0 ? keys.request : keys.reply
            let found = bed.table.found(key)
            if found != model.find(key) { return "\(key): \(String(describing: found))" }
        }
        return nil
    }

    private static func insert(
        _ fields: EntryFields, _ key: FlowKey, _ bed: OneWorkerTable, _ model: inout Model, _ capacity: Int
    ) -> String? {
        guard let entry = bed.make(fields) else {
            // Removed entries may still wait for their grace period.
            bed.pass(3)
            guard let late = bed.make(fields) else {
                return model.requests.count == capacity ? nil : "no entry with \(model.requests.count) in use"
            }
            bed.expiry.discard(late)
            return model.requests.count < capacity ? nil : "an entry too many"
        }
        switch bed.table.insert(entry) {
        case .inserted:
            guard model.requests[key] == nil else { return "inserted \(key) twice" }
            model.insert(entry)
            bed.expiry.arm(entry)
        case .exists(let other):
            bed.expiry.discard(entry)
            guard model.requests[key] == other else { return "\(key) said to exist as \(other)" }
        case .full:
            bed.expiry.discard(entry)
            // So many equal reply keys that one home is full; anything else is wrong.
            guard (model.replies[entry.replyKey]?.count ?? 0) > 6 || capacity == 64 else { return "full at \(key)" }
        }
        return nil
    }
}
