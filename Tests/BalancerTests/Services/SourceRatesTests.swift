import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct SourceRatesTests {
    private func memory(sources: Int = 1024) -> SourceRateMemory {
        SourceRateMemory(sources: sources, secret: HashSecret(3, 5), provider: .heap)
    }
    private func source(_ number: Int) -> IPAddress { IPAddress(v4: 0x0a00_0000 &+ UInt32(number)) }

    /// A burst at once, then one an interval; after a silence the burst again.
    @Test(arguments: [Tick(0), 77_777, .max - 300] as [Tick])
    func aBucketFillsAndEmpties(start: Tick) {
        let memory = memory()
        let limit = SourceLimit(SourceRate(connections: 10, burst: 4, family: .v4))
        func admitted(_ tries: Int, at tick: Tick) -> Int {
            (0..<tries).count { _ in memory.rates.admit(source(1), service: 0, limit, now: start &+ tick) }
        }
        #expect(admitted(9, at: 0) == 4)
        #expect(admitted(9, at: 24) == 0)
        #expect(admitted(9, at: 25) == 1)
        #expect(admitted(9, at: 75) == 2)
        #expect(admitted(9, at: 1000) == 4)
    }

    /// What a source gets over a long time is its rate, whatever it asks for.
    @Test(arguments: [1, 3, 30, 700, 33_333])
    func theRateIsKept(connections: Int) {
        let memory = memory()
        let limit = SourceLimit(SourceRate(connections: UInt32(connections), burst: 10, family: .v4))
        var admitted = 0
        for tick in 0..<Tick(250 * 20) {
            for _ in 0..<200 where memory.rates.admit(source(1), service: 0, limit, now: tick) { admitted += 1 }
        }
        // At 4 ms a tick no more than the burst comes through each.
        let wanted = min(connections * 20, 10 * 250 * 20)
        #expect(admitted >= wanted - wanted / 100 - 1 && admitted <= wanted + wanted / 100 + 10)
    }

    /// Sources, prefixes and services do not share; what lies in one prefix does.
    @Test func sourcesAreApart() throws {
        let memory = memory()
        let one = SourceLimit(SourceRate(connections: 1, family: .v4))
        let net = SourceLimit(SourceRate(connections: 1, prefixLength: 24, family: .v4))
        for number in 1...100 { #expect(memory.rates.admit(source(number), service: 1, one, now: 9)) }
        for number in 1...100 { #expect(!memory.rates.admit(source(number), service: 1, one, now: 9)) }
        #expect(memory.rates.admit(source(1), service: 2, one, now: 9))
        #expect(memory.rates.admit(source(1), service: 3, net, now: 9))
        #expect(!memory.rates.admit(source(200), service: 3, net, now: 9))
        #expect(memory.rates.admit(source(256), service: 3, net, now: 9))
        let v6 = SourceLimit(SourceRate(connections: 1, family: .v6))
        let (left, right) = (try #require(IPAddress("2001:db8::1")), try #require(IPAddress("2001:db8::2")))
        #expect(memory.rates.admit(left, service: 4, v6, now: 9))
        #expect(!memory.rates.admit(right, service: 4, v6, now: 9), "one /64")
    }

    /// However many sources come, one that is far over its limit is not forgotten for them.
    @Test func theTableIsBounded() {
        let memory = memory(sources: 64)
        let limit = SourceLimit(SourceRate(connections: 1, burst: 20, family: .v4))
        for _ in 0..<20 { #expect(memory.rates.admit(source(1), service: 0, limit, now: 0)) }
        for number in 2..<5000 { #expect(memory.rates.admit(source(number), service: 0, limit, now: 0)) }
        #expect(!memory.rates.admit(source(1), service: 0, limit, now: 0))
    }

    /// Two threads and one source: together they get the burst and the rate.
    @Test func workersShareABucket() async {
        let memory = memory()
        let limit = SourceLimit(SourceRate(connections: 1, period: .hour, burst: 200, family: .v4))
        // The first, so that both find the bucket.
        #expect(memory.rates.admit(source(1), service: 0, limit, now: 5))
        let sum = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    let rates = memory.rates
                    return (0..<5000).count { _ in
                        rates.admit(IPAddress(v4: 0x0a00_0001), service: 0, limit, now: 5)
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 199)
    }
}
