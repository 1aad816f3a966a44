import TestSupport
import Testing
import Wire

@testable import Balancer

/// 256 slots filled from the list, each server its weight's number of them running, cyclic.
private struct SourceHashingModel: SchedulerModel {
    private let flags: SchedulerFlags
    private var slots: [ModelServer] = []

    init(flags: SchedulerFlags) { self.flags = flags }

    mutating func changed(_ servers: [ModelServer], _ change: ModelChange) {
        slots = []
        var (place, run) = (0, 0)
        for _ in 0..<256 where !servers.isEmpty {
            slots.append(servers[place % servers.count])
            run += 1
            if run >= servers[place % servers.count].weight { (place, run) = (place + 1, 0) }
        }
    }

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        guard !slots.isEmpty else { return nil }
        let key = numberOf(request.client) &+ (flags.contains(.port) ? UInt32(request.clientPort) : 0)
        let hash = Int((UInt64(key) * 0x61c8_8647 & 0xffff_ffff) >> 24)
        if slots[hash].isUsable { return slots[hash] }
        guard flags.contains(.fallback) else { return nil }
        for offset in 0..<256 {
            let server = slots[((offset + hash) % 256 + hash) % 256]
            if server.isUsable { return server }
        }
        return nil
    }
}

@Suite struct SourceHashingTests {
    @Test(arguments: [[], .fallback, .port, [.fallback, .port]] as [SchedulerFlags], 1...3 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(flags: SchedulerFlags, seed: UInt64) {
        ModelComparison<SourceHashingModel>(.sh, flags: flags, seed: seed).run(
            steps: TestScale.count(3000), largestWeight: 12)
        ModelComparison<SourceHashingModel>(.sh, flags: flags, seed: seed).run(
            steps: TestScale.count(1000), family: .v6)
    }

    @Test func aClientKeepsItsServer() {
        let bed = SchedulerBed(.sh)
        for last in 1...4 { bed.add(.server(UInt32(last))) }
        let first = bed.pick(port: 1)
        #expect(first != nil)
        #expect((2..<200).allSatisfy { bed.pick(port: $0) == first })
    }

    /// A weight beyond the table leaves no place to those behind it.
    @Test func aHugeWeightTakesTheTable() {
        let bed = SchedulerBed(.sh)
        bed.add(.server(1))
        bed.add(.server(2), weight: 2_147_483_647)
        #expect(SourceHashing.table(ServiceDestinations(records: bed.records, flags: [])).allSatisfy { $0 == 0 })
    }
}
