import Testing
import Wire

@testable import Balancer

@Suite struct TableDisruptionTests {
    private func destinations(_ weights: [Int32]) -> [Destination] {
        weights.enumerated().map { index, weight in
            Destination(key: DestinationKey(address: .server(UInt32(index + 1)), port: 80), weight: weight)
        }
    }

    @Test func nothingChangesNothingMoves() {
        let list = destinations([1, 2, 3])
        for kind in [.dh, .sh, .mh, .maglev] as [SchedulerKind] {
            let disruption = kind.tableDisruption(from: list, to: list)
            #expect(disruption?.moved == 0 && disruption?.unavoidable == 0)
        }
        #expect(SchedulerKind.mh.tableDisruption(from: list, to: list)?.places == 4093)
        #expect(SchedulerKind.sh.tableDisruption(from: list, to: list)?.places == 256)
        #expect(SchedulerKind.maglev.tableDisruption(from: list, to: list, tableSize: 251)?.places == 251)
    }

    /// sh deals its places out again: of two servers in turn, the removal of one moves its half and nothing else; of
    /// four, far more than a quarter.
    @Test func shMovesMoreThanItMust() throws {
        let two = destinations([1, 1])
        let half = try #require(SchedulerKind.sh.tableDisruption(from: two, to: [two[0]]))
        #expect(half.places == 256 && half.moved == 128 && half.unavoidable == 128)
        // All that moves is what the removed one had.
        #expect(half.owned == [two[0].key: 128, two[1].key: 128] && half.lost == [two[1].key: 128])
        let four = destinations([1, 1, 1, 1])
        let disruption = try #require(SchedulerKind.sh.tableDisruption(from: four, to: Array(four.dropLast())))
        #expect(disruption.unavoidable == 64)
        #expect(disruption.moved > 128)
    }

    /// Quiesced, a destination keeps its places; under sh it does so with one place a turn.
    @Test func quiescing() throws {
        let (old, new) = (destinations([1, 1, 1]), destinations([1, 0, 1]))
        #expect(SchedulerKind.mh.tableDisruption(from: old, to: new)?.moved == 0)
        #expect(SchedulerKind.maglev.tableDisruption(from: old, to: new)?.moved == 0)
        #expect(SchedulerKind.sh.tableDisruption(from: old, to: new)?.moved == 0)
    }

    @Test func theFirstDestinationTakesEveryPlace() {
        #expect(
            SchedulerKind.mh.tableDisruption(from: [], to: destinations([1]))
                == TableDisruption(places: 4093, moved: 4093, unavoidable: 4093))
    }

    @Test func schedulersWithoutPlacesSayNothing() {
        let list = destinations([1, 1])
        for kind in [.rr, .wlc, .p2c, .rendezvous, .lblc] as [SchedulerKind] {
            #expect(kind.tableDisruption(from: list, to: list) == nil)
        }
    }
}
