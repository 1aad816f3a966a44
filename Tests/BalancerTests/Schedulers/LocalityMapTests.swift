import Dispatch
import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct LocalityMapTests {
    private func address(_ number: Int) -> IPAddress { IPAddress(v4: 0xcb00_0000 + UInt32(number)) }

    private func remember(_ map: LocalityMap, _ number: Int, now: Tick) {
        var entry = map.find(address(number), now: now)
        entry.replace(with: LocalityMember(UInt64(number) << 32 | 1 << 60), now: now)
        map.store(address(number), entry, now: now)
    }

    @Test func remembersAndReplaces() {
        let memory = SchedulerMemory(members: 2, provider: .heap)
        let map = memory.map
        #expect(map.find(address(1), now: 0).count == 0)
        remember(map, 1, now: 5)
        remember(map, 2, now: 6)
        #expect(map.find(address(1), now: 7)[0] == LocalityMember(1 << 32 | 1 << 60))
        #expect(map.count == 2)
        var entry = map.find(address(1), now: 8)
        entry.insert(LocalityMember(77), now: 8)
        map.store(address(1), entry, now: 8)
        let found = map.find(address(1), now: 9)
        #expect(found.count == 2 && found[0] == LocalityMember(77) && found.lastChange == 8)
        #expect(map.count == 2)
    }

    /// `lblc_expiration`: what is unused for that long is not remembered.
    @Test func remembersAsLongAsItIsTold() {
        let memory = SchedulerMemory(members: 1, provider: .heap)
        let map = memory.map
        remember(map, 1, now: 0)
        #expect(map.find(address(1), now: 9, life: 10).count == 1)
        #expect(map.find(address(1), now: 19, life: 10).count == 0)
    }

    /// A decision on contents that changed meanwhile is dropped.
    @Test func aStaleEntryIsNotStored() {
        let memory = SchedulerMemory(members: 1, provider: .heap)
        let map = memory.map
        var stale = map.find(address(1), now: 0)
        remember(map, 1, now: 0)
        stale.replace(with: LocalityMember(99), now: 0)
        map.store(address(1), stale, now: 0)
        #expect(map.find(address(1), now: 0)[0] != LocalityMember(99))
    }

    /// Far more addresses than places: the latest are all there, and the number is bounded.
    @Test func isBounded() {
        let memory = SchedulerMemory(members: 1, provider: .heap)
        let map = memory.map
        for number in 0..<100_000 { remember(map, number, now: Tick(number)) }
        #expect(map.count <= LocalityMap.buckets * LocalityMap.ways)
        #expect(map.count > LocalityMap.buckets * LocalityMap.ways * 9 / 10)
        #expect((90_000..<100_000).count { map.find(address($0), now: 100_000).count == 1 } > 9990)
    }

    /// Calls until a whole sweep has been done.
    private func sweep(_ map: LocalityMap, now: Tick) {
        for _ in 0...LocalityMap.buckets / LocalityAge.bucketsEachCall { map.sweep(now: now) }
    }

    @Test func aDayUnusedIsForgottenByTheFullSweep() {
        let memory = SchedulerMemory(members: 1, provider: .heap)
        let map = memory.map
        map.sweep(now: 0)
        for number in 0..<100 { remember(map, number, now: 0) }
        let day: Tick = 250 * 86400
        for minute in 0..<Tick(60) { sweep(map, now: day - 250 * 7200 + minute * 15_000) }
        #expect(map.count == 100)
        for minute in 0..<Tick(60) { sweep(map, now: day + minute * 15_000) }
        #expect(map.count == 0)
    }

    /// With more than 16,384 entries those unused for six minutes go, four thirds of the excess at least.
    @Test func manyEntriesAreSweptAfterSixMinutes() {
        let memory = SchedulerMemory(members: 1, provider: .heap)
        let map = memory.map
        map.sweep(now: 0)
        for number in 0..<18_000 { remember(map, number, now: 0) }
        let before = map.count
        #expect(before > 17_500)
        sweep(map, now: 15_000 * 5)
        #expect(map.count == before)
        sweep(map, now: 15_000 * 7)
        #expect(map.count <= before - (before - 16_384) * 4 / 3)
        #expect(map.count > before - (before - 16_384) * 4 / 3 - 32)
        sweep(map, now: 15_000 * 8)
        #expect(map.count > 15_000)
    }

    /// Two workers change and read one bucket's addresses: members read are always those of one store.
    @Test func readersNeverSeeHalfAnEntry() {
        let memory = SchedulerMemory(members: 21, provider: .heap)
        let map = UncheckedMap(memory.map)
        let group = DispatchGroup()
        for worker in 0..<2 {
            DispatchQueue.global().async(group: group) {
                var random = SeededRandom(seed: UInt64(worker))
                for step in 0..<20_000 {
                    let address = IPAddress(v4: UInt32.random(in: 1...3, using: &random))
                    var entry = map.value.find(address, now: Tick(step))
                    if entry.count > 0 {
                        #expect(entry.count == 21)
                        for index in 1..<21 { #expect(entry[index] == entry[0]) }
                    }
                    let member = LocalityMember(random.next() | 1)
                    entry.replace(with: member, now: 0)
                    for _ in 1..<21 { entry.append(member) }
                    map.value.store(address, entry, now: Tick(step))
                }
            }
        }
        #expect(group.wait(timeout: .now() + 60) == .success)
        #expect(memory.map.count == 3)
    }
}

/// Carries a map whose memory the test keeps to other threads.
private struct UncheckedMap: @unchecked Sendable {
    let value: LocalityMap
    init(_ value: LocalityMap) { self.value = value }
}
