import Foundation
import Synchronization
import TestSupport
import Wire

@testable import Balancer

extension EntryFields {
    /// What an ordinary entry is made from.
    static func of(
        _ client: Endpoint, _ virtual: Endpoint, _ destination: Endpoint, _ method: ForwardingMethod = .masquerading,
        kind: EntryKind = .none, transportProtocol: UInt8 = IPProtocol.tcp, state: UInt8 = 0, slot: UInt32 = 0
    ) -> EntryFields {
        EntryFields(
            kind: kind, transportProtocol: transportProtocol, method: method,
            client: DestinationKey(address: client.address, port: client.port),
            virtual: DestinationKey(address: virtual.address, port: virtual.port),
            destination: DestinationKey(address: destination.address, port: destination.port), destinationSlot: slot,
            serviceSlot: 0, state: state, flags: method == .masquerading ? .none : .noOutput)
    }

    /// The entry of client number `client`, in NAT unless said otherwise.
    static func numbered(_ client: Int, _ method: ForwardingMethod = .masquerading, state: UInt8 = 0) -> EntryFields {
        .of(
            Endpoint(IPAddress(v4: 0xc633_6400 | UInt32(client >> 14)), UInt16(1024 + client & 0x3fff)),
            "203.0.113.80:80", "10.0.2.11:8080", method, state: state)
    }
}

extension FlowKey {
    /// The key of a packet between two endpoints.
    static func between(_ source: Endpoint, _ destination: Endpoint, _ transportProtocol: UInt8 = IPProtocol.tcp)
        -> FlowKey
    {
        FlowKey(
            source: source.address, destination: destination.address, sourcePort: source.port,
            destinationPort: destination.port, transportProtocol: transportProtocol)
    }
}

extension ConnectionTable {
    /// Index and direction of what `key` finds.
    func found(_ key: FlowKey) -> Found? {
        find(key, hash: hash(key)).map { Found(index: $0.entry.index, direction: $0.direction) }
    }
}

/// What a lookup found.
struct Found: Equatable {
    var index: UInt32
    var direction: FlowDirection
}

/// A table with one worker's timers and clock, used by one thread.
final class OneWorkerTable {
    let memory: ConnectionTableMemory
    let table: ConnectionTable
    let inboxes: Inboxes
    let participant: Participant
    var expiry: Expiry
    var now: Tick

    init(
        entries: Int = 64, now: Tick = 0, secret: HashSecret = HashSecret(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321)
    ) {
        memory = ConnectionTableMemory(size: TableSize(entries: entries, workers: 1), secret: secret)
        table = memory.table
        inboxes = Inboxes(workers: 1)
        participant = Participant(memory.table, number: 0)
        expiry = Expiry(table: memory.table, inboxes: inboxes, worker: 0, now: now)
        self.now = now
        participant.enter()
    }

    /// A new entry that ends after `timeout`, not in the table; nil when none is free.
    func make(_ fields: EntryFields, timeout: Tick = 1000) -> ConnectionEntry? {
        guard let entry = table.make(fields, worker: 0, now: now) else { return nil }
        entry.timeout = timeout
        entry.deadline = now &+ timeout
        return entry
    }

    /// A new entry in the table, armed; nil when it cannot be.
    func add(_ fields: EntryFields, timeout: Tick = 1000) -> ConnectionEntry? {
        guard let entry = make(fields, timeout: timeout) else { return nil }
        guard case .inserted = table.insert(entry) else {
            expiry.discard(entry)
            return nil
        }
        expiry.arm(entry)
        return entry
    }

    /// End an entry before its time.
    func end(_ entry: ConnectionEntry) {
        if table.remove(entry) { expiry.retire(entry) }
    }

    /// Pass so many quiescent points, and reclaim at each.
    func pass(_ times: Int = 3) {
        for _ in 0..<times { expiry.reclaim(epoch: participant.quiesce()) }
    }

    /// One batch's share of the wheel: the entries that were due, which are ended.
    @discardableResult
    func batch(at tick: Tick) -> [UInt32] {
        now = tick
        expiry.reclaim(epoch: participant.quiesce())
        var ended: [UInt32] = []
        var budget = expiry.begin()
        while let entry = expiry.next(now: tick, budget: &budget) {
            if table.remove(entry) { expiry.discard(entry) }
            ended.append(entry.index)
        }
        return ended
    }

    /// Whether a batch left entries over.
    func isBehind(at tick: Tick) -> Bool { expiry.isBehind(now: tick) }

    /// When to look at the wheel next, looking 100 slots ahead.
    func nextDue(at tick: Tick) -> Tick { expiry.nextDue(now: tick, most: 100) }

    /// How many entries can still be made: takes all that are free, which are lost afterwards.
    func drain() -> [UInt32] {
        var taken: [UInt32] = []
        while let entry = table.make(.numbered(0), worker: 0, now: now) { taken.append(entry.index) }
        return taken
    }
}
