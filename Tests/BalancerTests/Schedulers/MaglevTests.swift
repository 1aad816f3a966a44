import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct MaglevTests {
    private func clients(_ count: UInt32) -> [IPAddress] { (0..<count).map { IPAddress(v4: 0xc633_0000 + $0) } }

    @Test func theTableHasTheChosenSize() {
        for size in Maglev.tableSizes {
            let bed = SchedulerBed(.maglev, tableSize: size)
            bed.add(.server(1))
            #expect(bed.reference.record.tableCount == size)
            // Only a prime lets every permutation reach every place.
            #expect((2..<size).first { $0 * $0 > size || size % $0 == 0 }.map { $0 * $0 > size } == true)
        }
        for size in [0, 1000] {
            let bed = SchedulerBed(.maglev, tableSize: size)
            bed.add(.server(1))
            #expect(bed.reference.record.tableCount == 65537)
        }
    }

    /// Each destination's places are its weight's share, but for a few.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func sharesAreTheWeights(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let bed = SchedulerBed(.maglev, tableSize: 16381)
        for number in 0..<30 { bed.add(.server(UInt32(number)), weight: Int32.random(in: 1...100, using: &random)) }
        let sum = bed.records.reduce(0) { $0 + Double($1.weight) }
        let table = Maglev.table(ServiceDestinations(records: bed.records, flags: [], tableSize: 16381))
        var counts = [Int](repeating: 0, count: 30)
        for place in table { counts[Int(place)] += 1 }
        for place in 0..<30 {
            let share = Double(bed.records[place].weight) / sum * 16381
            #expect(abs(Double(counts[place]) - share) <= 3, "seed \(seed), place \(place)")
        }
    }

    @Test func directorsAgree() {
        let one = SchedulerBed(.maglev, tableSize: 1021)
        let other = SchedulerBed(.maglev, tableSize: 1021)
        for last in 1...9 { one.add(.server(UInt32(last)), weight: Int32(last)) }
        for last in (1...9).reversed() { other.add(.server(UInt32(last)), weight: Int32(last)) }
        for client in clients(500) {
            #expect(one.picked(one.pick(client: client)) == other.picked(other.pick(client: client)))
        }
    }

    /// What goes beyond the lost server's own places when one of ten is removed, in parts of the table.
    @Test(arguments: [(251, 0.08), (4093, 0.03), (65537, 0.01)])
    func removingOneMovesFewOthers(size: Int, bound: Double) throws {
        for place in [0, 4, 9] {
            let disruption = try #require(disruptionOfRemoval(.maglev, of: 10, remove: place, tableSize: size))
            #expect(disruption.places == size)
            #expect(abs(disruption.unavoidable - size / 10) <= 1)
            #expect(disruption.moved >= disruption.unavoidable)
            #expect(Double(disruption.moved - disruption.unavoidable) < bound * Double(size), "place \(place)")
        }
    }

    /// A server that is quiesced or full moves its own clients, to servers that are not, and nobody else's.
    @Test func onlyTheLostServersClientsMove() {
        let bed = SchedulerBed(.maglev)
        for last in 1...10 { bed.add(.server(UInt32(last))) }
        let clients = clients(3000)
        let before = clients.map { bed.pick(client: $0) }
        bed.edit(4, weight: 0)
        let quiesced = clients.map { bed.pick(client: $0) }
        #expect(zip(before, quiesced).allSatisfy { $0 == 4 ? $1 != nil && $1 != 4 : $0 == $1 })
        bed.edit(4, weight: 1)
        bed.setOverloaded(4, true)
        #expect(clients.map { bed.pick(client: $0) } == quiesced)
        #expect(before.contains(4))
    }

    @Test func findsTheOneThatIsLeft() {
        let bed = SchedulerBed(.maglev, tableSize: 251)
        #expect(bed.pick() == nil)
        for last in 1...200 { bed.add(.server(UInt32(last))) }
        for place in 0..<200 where place != 77 { bed.setOverloaded(place, true) }
        #expect(clients(200).allSatisfy { bed.pick(client: $0) == 77 })
        bed.setOverloaded(77, true)
        #expect(bed.pick() == nil)
    }

    @Test func thePortCountsOnlyWithItsFlag() {
        let plain = SchedulerBed(.maglev, tableSize: 1021)
        let withPort = SchedulerBed(.maglev, flags: .port, tableSize: 1021)
        for bed in [plain, withPort] { for last in 1...8 { bed.add(.server(UInt32(last))) } }
        #expect(Set((1...100).map { plain.pick(port: $0) }).count == 1)
        #expect(Set((1...100).map { withPort.pick(port: $0) }).count == 8)
    }
}
