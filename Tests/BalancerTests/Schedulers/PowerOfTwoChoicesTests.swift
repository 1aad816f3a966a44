import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct PowerOfTwoChoicesTests {
    /// What a draw gives each place, summed from the table, is its weight's share of 2^32 for each column.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func theAliasTableHoldsTheWeights(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bed = SchedulerBed(.p2c)
        let count = Int.random(in: 1...40, using: &random)
        for number in 0..<count {
            bed.add(.server(UInt32(number)), weight: Int32.random(in: 0...20, using: &random) * 3)
        }
        let sum = bed.records.reduce(0) { $0 + Double($1.weight) }
        let table = PowerOfTwoChoices.table(ServiceDestinations(records: bed.records, flags: []))
        guard sum > 0 else {
            #expect(table.isEmpty)
            return
        }
        var shares = [Double](repeating: 0, count: count)
        for column in 0..<count {
            let own = Int(table[column * 2 + 1]) == column ? 1 : Double(table[column * 2]) / 4_294_967_296
            shares[column] += own
            shares[Int(table[column * 2 + 1])] += 1 - own
        }
        for place in 0..<count {
            let expected = Double(bed.records[place].weight) / sum * Double(count)
            #expect(abs(shares[place] - expected) < 1e-6, "seed \(seed), place \(place)")
        }
    }

    /// Connections that stay spread as the weights say, much closer than chance alone.
    @Test func sharesConvergeToTheWeights() {
        let bed = SchedulerBed(.p2c)
        for number in 0..<20 { bed.add(.server(UInt32(number)), weight: Int32(1 + number % 4)) }
        var random = SeededRandom(seed: 7)
        for _ in 0..<5000 {
            if let place = bed.pick(random: random.next()) { bed.state(place).bind(isTemplate: false, isActive: true) }
        }
        for place in 0..<20 {
            let expected = 100 * Int(bed.records[place].weight)
            #expect(abs(Int(bed.state(place).active) - expected) <= 12, "place \(place)")
        }
    }

    @Test func theSameSeedPicksTheSame() {
        func picks(seed: UInt64) -> [Int?] {
            let bed = SchedulerBed(.p2c)
            for number in 0..<9 { bed.add(.server(UInt32(number)), weight: Int32(1 + number)) }
            var random = SeededRandom(seed: seed)
            return (0..<200).map { _ in bed.pick(random: random.next()) }
        }
        #expect(picks(seed: 3) == picks(seed: 3))
        #expect(picks(seed: 3) != picks(seed: 4))
    }

    @Test func onlyUsableDestinations() {
        let bed = SchedulerBed(.p2c)
        #expect(bed.pick() == nil)
        for number in 0..<50 { bed.add(.server(UInt32(number))) }
        for place in 0..<50 where place != 31 { bed.setOverloaded(place, true) }
        var random = SeededRandom(seed: 1)
        #expect((0..<300).allSatisfy { _ in bed.pick(random: random.next()) == 31 })
        // The weight in force counts, not the one that the table was made with.
        bed.state(31).weight = 0
        #expect(bed.pick(random: 5) == nil)
        bed.setOverloaded(2, false)
        #expect(bed.pick(random: 5) == 2)
    }

    @Test func ofTwoTheLessLoaded() {
        let bed = SchedulerBed(.p2c)
        bed.add(.server(1))
        bed.add(.server(2))
        bed.setCounts(0, active: 5, inactive: 0)
        var random = SeededRandom(seed: 2)
        let picks = (0..<1000).map { _ in bed.pick(random: random.next()) }
        // The other is drawn beside it in all but 2^-4 of the picks of the loaded one.
        #expect(picks.count { $0 == 1 } > 930)
    }
}
