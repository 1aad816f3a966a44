import Foundation
import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct RendezvousHashingTests {
    private func clients(_ count: UInt32) -> [IPAddress] { (0..<count).map { IPAddress(v4: 0xc633_0000 + $0) } }

    @Test func theLogarithmIsRight() {
        var random = SeededRandom(seed: 5)
        for hash in [0, 1 << 12, UInt64.max, UInt64.max >> 1] + (0..<5000).map({ _ in random.next() }) {
            let uniform = (Double(hash >> 12) + 0.5) / 4_503_599_627_370_496
            let exact = -Foundation.log(uniform)
            let ours = RendezvousScore(hash: hash, weight: 1).negativeLogarithm
            #expect(abs(ours - exact) <= 1e-14 * max(exact, 1), "hash \(hash)")
        }
    }

    /// The score, computed with the library's logarithm, is the highest.
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func theHighestScoreWins(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = SchedulerBed(.rendezvous, flags: .port)
        for _ in 0..<12 { bed.add(random.address(.v4), port: 80, weight: Int32.random(in: 1...5, using: &random)) }
        for _ in 0..<300 {
            let client = random.address(.v6)
            let port = UInt16(truncatingIfNeeded: random.next())
            let scores = bed.records.map { record in
                let hash = Mixing.mix(Mixing.hash(client, port) ^ Mixing.hash(record.address, record.port))
                return Double(record.weight) / -Foundation.log((Double(hash >> 12) + 0.5) / 4_503_599_627_370_496)
            }
            let place = try #require(bed.pick(client: client, port: port))
            #expect(scores[place] == scores.max(), "seed \(seed)")
        }
    }

    @Test func sharesConvergeToTheWeights() {
        let bed = SchedulerBed(.rendezvous)
        let weights: [Int32] = [1, 2, 3, 4, 10]
        for (index, weight) in weights.enumerated() { bed.add(.server(UInt32(index + 1)), weight: weight) }
        var counts: [IPAddress: Int] = [:]
        for client in clients(20_000) {
            if let server = bed.picked(bed.pick(client: client)) { counts[server, default: 0] += 1 }
        }
        for (index, weight) in weights.enumerated() {
            let count = counts[.server(UInt32(index + 1))] ?? 0
            #expect(abs(count - 1000 * Int(weight)) < 250, "weight \(weight): \(count)")
        }
    }

    /// The order in which destinations were added is of no account.
    @Test func directorsAgree() {
        let one = SchedulerBed(.rendezvous)
        let other = SchedulerBed(.rendezvous)
        for last in 1...9 { one.add(.server(UInt32(last)), weight: Int32(last)) }
        for last in (1...9).reversed() { other.add(.server(UInt32(last)), weight: Int32(last)) }
        for client in clients(500) {
            #expect(one.picked(one.pick(client: client)) == other.picked(other.pick(client: client)))
        }
    }

    /// A destination that is removed, quiesced or full moves its own clients and nobody else's.
    @Test func onlyTheLostServersClientsMove() {
        let bed = SchedulerBed(.rendezvous)
        for last in 1...10 { bed.add(.server(UInt32(last)), weight: Int32(1 + last % 3)) }
        let clients = clients(3000)
        let before = clients.map { bed.picked(bed.pick(client: $0)) }
        let lost = bed.records[4].address
        bed.setOverloaded(4, true)
        let whileFull = clients.map { bed.picked(bed.pick(client: $0)) }
        bed.setOverloaded(4, false)
        bed.edit(4, weight: 0)
        let whileQuiesced = clients.map { bed.picked(bed.pick(client: $0)) }
        bed.remove(4)
        let after = clients.map { bed.picked(bed.pick(client: $0)) }
        #expect(whileFull == after && whileQuiesced == after)
        #expect(zip(before, after).allSatisfy { $0 == lost ? $1 != lost : $0 == $1 })
        #expect(before.contains(lost))
    }

    /// A larger weight draws clients from the others and moves none between them.
    @Test func aLargerWeightOnlyDraws() {
        let bed = SchedulerBed(.rendezvous)
        for last in 1...6 { bed.add(.server(UInt32(last)), weight: 4) }
        let clients = clients(3000)
        let before = clients.map { bed.picked(bed.pick(client: $0)) }
        bed.edit(2, weight: 7)
        let grown = bed.records[2].address
        let after = clients.map { bed.picked(bed.pick(client: $0)) }
        #expect(zip(before, after).allSatisfy { $0 == $1 || $1 == grown })
        #expect(after.count { $0 == grown } > before.count { $0 == grown })
    }

    @Test func thePortCountsOnlyWithItsFlag() {
        let plain = SchedulerBed(.rendezvous)
        let withPort = SchedulerBed(.rendezvous, flags: .port)
        for bed in [plain, withPort] { for last in 1...8 { bed.add(.server(UInt32(last))) } }
        #expect(Set((1...100).map { plain.pick(port: $0) }).count == 1)
        #expect(Set((1...100).map { withPort.pick(port: $0) }).count == 8)
        #expect(SchedulerBed(.rendezvous).pick() == nil)
    }
}
