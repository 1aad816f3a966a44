import TestSupport
import Testing
import Wire

@testable import Balancer

/// The kernel's mh as `check_models.py` has it, with the kernel's limit on turns added.
private struct MaglevHashingModel: SchedulerModel {
    private let flags: SchedulerFlags
    private var slots: [ModelServer] = []

    init(flags: SchedulerFlags) { self.flags = flags }

    private static func first(_ key: UInt32) -> Int { Int(ReferenceSipHash.hash13(key, 2_654_435_761)) % 4093 }

    mutating func changed(_ servers: [ModelServer], _ change: ModelChange) {
        slots = []
        let positive = servers.map(\.lastWeight).filter { $0 > 0 }
        guard let least = positive.min(), let greatest = positive.max() else { return }
        let divisor = (1...least).last { divisor in positive.allSatisfy { $0 % divisor == 0 } } ?? 1
        var halvings = 0
        while (greatest / divisor) >> halvings > 63 { halvings += 1 }
        var slots = [ModelServer?](repeating: nil, count: 4093)
        var free = 4093
        var wanted = servers.map { Self.first(numberOf($0.address) &+ UInt32($0.port)) }
        let steps = servers.map { server in
            Int(ReferenceSipHash.hash13(numberOf(server.address) &+ UInt32(server.port), 2_654_446_892)) % 4092 + 1
        }
        while free > 0 {
            for (place, server) in servers.enumerated() where server.lastWeight > 0 {
                for _ in 0..<max((server.lastWeight / divisor) >> halvings, 1) where free > 0 {
                    while slots[wanted[place]] != nil { wanted[place] = (wanted[place] + steps[place]) % 4093 }
                    slots[wanted[place]] = server
                    free -= 1
                }
            }
        }
        self.slots = slots.compactMap { $0 }
    }

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        guard !slots.isEmpty else { return nil }
        let key = numberOf(request.client) &+ (flags.contains(.port) ? UInt32(request.clientPort) : 0)
        let home = Self.first(key)
        if slots[home].isUsable { return slots[home] }
        guard flags.contains(.fallback) else { return nil }
        for offset in 0..<4093 {
            let server = slots[Self.first(key &+ UInt32((offset + home) % 4093))]
            if server.isUsable { return server }
        }
        return nil
    }
}

@Suite struct MaglevHashingTests {
    @Test(arguments: [[], .fallback, .port, [.fallback, .port]] as [SchedulerFlags], 1...2 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(flags: SchedulerFlags, seed: UInt64) {
        ModelComparison<MaglevHashingModel>(.mh, flags: flags, seed: seed).run(
            steps: TestScale.count(300), largestWeight: 300)
        ModelComparison<MaglevHashingModel>(.mh, flags: flags, seed: seed).run(steps: TestScale.count(100), family: .v6)
    }

    /// A quiesced server keeps its places: the clients of the others stay where they are.
    @Test func quiescingMovesNobodyElse() {
        let bed = SchedulerBed(.mh)
        for last in 1...5 { bed.add(.server(UInt32(last))) }
        let clients = (0..<2000).map { IPAddress(v4: 0xc633_0000 + $0) }
        let before = clients.map { bed.pick(client: $0) }
        bed.edit(2, weight: 0)
        let after = clients.map { bed.pick(client: $0) }
        #expect(zip(before, after).allSatisfy { $0 == 2 ? $1 == nil : $0 == $1 })
        #expect(before.contains(2))
    }

    /// Removing one of ten moves its own tenth and, by the way the table is filled, a few places more.
    @Test func removingOneMovesFewOthers() throws {
        let disruption = try #require(disruptionOfRemoval(.mh, of: 10, remove: 3))
        #expect(disruption.places == 4093)
        #expect(disruption.unavoidable == 409 || disruption.unavoidable == 410)
        #expect(disruption.moved >= disruption.unavoidable)
        #expect(disruption.moved < disruption.unavoidable + 4093 / 40)
    }
}

/// What removing the destination at a place does to a table of `count` equal destinations.
func disruptionOfRemoval(
    _ kind: SchedulerKind, of count: Int, remove place: Int, tableSize: Int = 0
) -> TableDisruption? {
    let old = (1...count).map { number in
        Destination(key: DestinationKey(address: IPAddress(v4: 0x0a00_0200 + UInt32(number)), port: 80))
    }
    var new = old
    new.remove(at: place)
    return kind.tableDisruption(from: old, to: new, tableSize: tableSize)
}
