import TestSupport
import Testing
import Wire

@testable import Balancer

/// A drain's rules and clock; the connections' side is in `DataplaneTests/DirectorDrainTests.swift`.
@Suite struct EngineDrainTests {
    private let server: Endpoint = "10.0.2.11:80"
    private var key: DestinationKey { DestinationKey(address: server.address, port: server.port) }

    private func bed() throws -> EngineBed {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(EngineBed.server(server, weight: 3), to: EngineBed.key())
        try bed.engine.addDestination(EngineBed.server("10.0.2.12:80"), to: EngineBed.key())
        bed.engine.advance(milliseconds: 1000)
        return bed
    }

    /// An entry of the first server, as a worker would make it.
    private func connect(_ bed: EngineBed, port: UInt16, state: TCPState = .established) throws -> ConnectionEntry {
        let record = try #require(bed.record())
        let place = try #require((0..<record.count).first { record.destination($0).address == server.address })
        let slot = record.destination(place).slot
        let entry = try #require(
            bed.engine.table.make(
                EntryFields(
                    kind: .none, transportProtocol: IPProtocol.tcp, method: .masquerading,
                    client: DestinationKey(address: IPAddress(v4: 0xc633_6401), port: port),
                    virtual: DestinationKey(address: record.address, port: record.port), destination: key,
                    destinationSlot: slot, serviceSlot: record.slot, state: state.rawValue, flags: .active),
                worker: 0, now: bed.engine.now))
        guard case .inserted = bed.engine.table.insert(entry) else {
            throw RuleError.tableFull
        }
        bed.engine.slots.destination(slot).bind(isTemplate: false, isActive: true)
        return entry
    }

    private func end(_ bed: EngineBed, _ entry: ConnectionEntry) {
        #expect(bed.engine.table.remove(entry))
        bed.engine.slots.destination(entry.destinationSlot).unbind(isTemplate: false, isActive: true)
    }

    private func status(_ bed: EngineBed) throws -> DrainStatus {
        try #require(bed.engine.drainStatus(key, of: EngineBed.key(), most: 10))
    }

    @Test func refusesWhatIsNotThere() throws {
        let bed = try bed()
        let other = DestinationKey(address: IPAddress(v4: 1), port: 1)
        #expect(
            EngineBed.error {
                try bed.engine.drain(other, of: EngineBed.key(), milliseconds: 0, then: .reset)
            } == .noSuchDestination)
        #expect(
            EngineBed.error {
                try bed.engine.drain(key, of: EngineBed.key("203.0.113.80:81"), milliseconds: 0, then: .reset)
            } == .serviceNotDefined)
        #expect(bed.engine.drainStatus(key, of: EngineBed.key(), most: 1) == nil)
    }

    /// Nothing open: it is over at once, with the weight at 0.
    @Test func anIdleServerIsDrainedAtOnce() throws {
        let bed = try bed()
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 30_000, then: .reset)
        let status = try status(bed)
        #expect(status.phase == .done && status.first == 0 && status.cut == 0 && status.remainingMilliseconds == 0)
        #expect(bed.servers().map(\.destination.weight) == [1, 0])
    }

    /// What counts as open: neither side is known to have ended it.
    @Test func countsOpenConnectionsOnly() throws {
        let bed = try bed()
        for (number, state) in TCPState.allCases.enumerated() {
            _ = try connect(bed, port: UInt16(number) + 1, state: state)
        }
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 30_000, then: .reset)
        let states = try status(bed).holdouts.map(\.state)
        #expect(Set(states) == ["ESTABLISHED", "SYN_SENT", "SYN_RECV", "SYNACK", "FIN_WAIT", "CLOSE_WAIT"])
    }

    @Test func waitsForTheLastConnection() throws {
        let bed = try bed()
        let first = try connect(bed, port: 1)
        first.count(length: 700, isRequest: true)
        bed.engine.advance(milliseconds: 5000)
        let second = try connect(bed, port: 2)
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 30_000, then: .reset)
        bed.engine.advance(milliseconds: 15_000)
        var now = try status(bed)
        #expect(now.phase == .waiting && now.open == 2 && now.first == 2 && now.remainingMilliseconds == 20_000)
        #expect(now.holdouts.map(\.client.port) == [1, 2], "the oldest first")
        #expect(now.holdouts.map(\.ageSeconds) == [14, 10] && now.holdouts.map(\.bytes) == [700, 0])
        end(bed, first)
        bed.engine.advance(milliseconds: 16_000)
        now = try status(bed)
        #expect(now.phase == .waiting && now.open == 1)
        end(bed, second)
        bed.engine.advance(milliseconds: 17_000)
        now = try status(bed)
        #expect(now.phase == .done && now.open == 0 && now.cut == 0)
    }

    /// At the deadline workers are told; those whose numbers nobody shows end 3 s later.
    @Test(arguments: DrainEnding.allCases)
    func cutsAtTheDeadline(ending: DrainEnding) throws {
        let bed = try bed()
        let entry = try connect(bed, port: 1)
        let state = bed.engine.slots.destination(entry.destinationSlot)
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 10_000, then: ending)
        bed.engine.advance(milliseconds: 10_999)
        #expect(try status(bed).phase == .waiting && state.isServing)
        let flushes = bed.engine.view.flushCount
        bed.engine.advance(milliseconds: 11_000)
        #expect(try status(bed).phase == .cutting && state.isServing == (ending == .reassign))
        #expect(state.flags.contains(.ending) == (ending == .reassign) && bed.engine.view.flushCount == flushes + 1)
        for second in 12...14 { bed.engine.advance(milliseconds: UInt64(second) * 1000) }
        #expect(state.flags.contains(.ending) && !state.isResetting && bed.engine.view.flushCount >= flushes + 3)
        end(bed, entry)
        bed.engine.advance(milliseconds: 16_000)
        let status = try status(bed)
        #expect(status.phase == .done && status.cut == 1 && status.silent == (ending == .reset ? 1 : 0))
        #expect(!state.flags.contains(.ending) && state.isServing && state.flags.contains(.draining))
    }

    /// A weight, or the end of the rule, ends the drain; nothing is cut then.
    @Test(arguments: [true, false])
    func isCancelled(byWeight: Bool) throws {
        let bed = try bed()
        let entry = try connect(bed, port: 1)
        let state = bed.engine.slots.destination(entry.destinationSlot)
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 10_000, then: .reset)
        #expect(state.flags.contains(.draining))
        bed.engine.advance(milliseconds: 11_000)
        if byWeight {
            try bed.engine.editDestination(EngineBed.server(server, weight: 2), of: EngineBed.key())
            #expect(!state.flags.contains(.draining) && !state.isResetting)
        } else {
            try bed.engine.removeDestination(key, of: EngineBed.key())
        }
        bed.engine.advance(milliseconds: 13_000)
        #expect(try status(bed).phase == .cancelled && !state.isResetting && !state.flags.contains(.ending))
    }

    /// An edit that leaves the weight at 0 changes nothing; a second drain has its own deadline.
    @Test func aSecondDrainReplacesTheFirst() throws {
        let bed = try bed()
        _ = try connect(bed, port: 1)
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 5000, then: .reset)
        try bed.engine.editDestination(EngineBed.server(server, weight: 0, upper: 9), of: EngineBed.key())
        try bed.engine.drain(key, of: EngineBed.key(), milliseconds: 60_000, then: .reassign)
        bed.engine.advance(milliseconds: 20_000)
        let status = try status(bed)
        #expect(status.phase == .waiting && status.ending == .reassign && status.remainingMilliseconds == 41_000)
        #expect(bed.servers().first { $0.destination.key == key }?.destination.upperThreshold == 9)
    }
}
