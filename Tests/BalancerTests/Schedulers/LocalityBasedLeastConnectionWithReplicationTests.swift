import TestSupport
import Testing
import Wire

@testable import Balancer

/// A dictionary of sets, newest member first.
private struct ReplicationModel: SchedulerModel {
    private struct Entry {
        var members: [ModelServer]
        var used: Tick
        var changed: Tick
    }
    private var remembered: [IPAddress: Entry] = [:]

    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        let now = request.now
        if let entry = remembered[request.virtual], now - entry.used >= 250 * 86400 {
            remembered[request.virtual] = nil
        }
        guard var entry = remembered[request.virtual] else {
            guard let server = leastLoadedModel(servers) else { return nil }
            remembered[request.virtual] = Entry(members: [server], used: now, changed: now)
            return server
        }
        entry.used = now
        defer { remembered[request.virtual] = entry }
        let least = leastLoadedModel(entry.members.filter { member in servers.contains { $0 === member } })
        if entry.members.count > 1, now - entry.changed > 250 * 86400, let most = mostLoaded(entry.members, servers) {
            entry.members.removeAll { $0 === most }
            entry.changed = now
        }
        if let least, !isOverworked(least, servers) { return least }
        guard let server = leastLoadedModel(servers) else { return nil }
        if !entry.members.contains(where: { $0 === server }) {
            entry.members.insert(server, at: 0)
            entry.changed = now
        }
        return server
    }

    private func mostLoaded(_ members: [ModelServer], _ servers: [ModelServer]) -> ModelServer? {
        if let gone = members.first(where: { member in !servers.contains { $0 === member } }) { return gone }
        var best: ModelServer?
        for server in members where server.weight > 0 {
            guard let most = best else {
                best = server
                continue
            }
            if most.overhead * server.weight < server.overhead * most.weight { best = server }
        }
        return best
    }
}

@Suite struct LocalityBasedLeastConnectionWithReplicationTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(seed: UInt64) {
        ModelComparison<ReplicationModel>(.lblcr, flags: [], seed: seed).run(steps: TestScale.count(2500))
    }

    /// With hours between picks sets shrink and entries are forgotten.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func picksWhatTheModelPicksOverDays(seed: UInt64) {
        ModelComparison<ReplicationModel>(.lblcr, flags: [], seed: seed).run(
            steps: TestScale.count(4000), longestPause: 1_200_000)
    }

    @Test func aSetGrowsUnderLoadAndShrinksAfterADay() throws {
        let bed = SchedulerBed(.lblcr)
        for last in 1...3 { bed.add(.server(UInt32(last)), weight: 2) }
        let map = try #require(bed.reference.record.localityMap)
        let virtual = IPAddress(v4: 0xcb00_7150)
        for _ in 0..<8 {
            if let place = bed.pick(now: 1) { bed.state(place).bind(isTemplate: false, isActive: true) }
        }
        #expect(map.find(virtual, now: 1).count == 3)
        let day: Tick = 250 * 86400
        #expect(bed.pick(now: day - 5) != nil)
        #expect(map.find(virtual, now: day - 5).count == 3)
        #expect(bed.pick(now: day + 5) != nil)
        #expect(map.find(virtual, now: day + 5).count == 2)
        #expect(bed.pick(now: day + 10) != nil)
        #expect(map.find(virtual, now: day + 10).count == 2)
    }

    /// More overloaded servers than a set holds: the most loaded leaves, the newest is in.
    @Test func aFullSetGivesUpItsMostLoaded() throws {
        let bed = SchedulerBed(.lblcr)
        for number in 0..<30 { bed.add(.server(UInt32(number)), weight: 1000) }
        let map = try #require(bed.reference.record.localityMap)
        for step in 0..<30 {
            let place = try #require(bed.pick(now: 1))
            bed.setCounts(place, active: 1001 + Int32(step), inactive: 0)
            let set = map.find(IPAddress(v4: 0xcb00_7150), now: 1)
            #expect(set.count == min(step + 1, 21))
            #expect(set[0] == LocalityMember(bed.records[place]))
        }
    }

    @Test func workersPickAtOnce() {
        let bed = SchedulerBed(.lblcr)
        for last in 1...4 { bed.add(.server(UInt32(last))) }
        for place in 0..<4 { bed.setCounts(place, active: 2, inactive: 0) }
        bed.edit(3, weight: 9)
        #expect(picksOfWorkers(bed, workers: 2, picksEach: 20_000).reduce(0, +) == 40_000)
    }
}
