import Decapsulation
import Testing

@Suite struct DecapsulationCountersTests {
    @Test func theLineNamesWhatHappened() {
        var counters = DecapsulationCounters()
        #expect(counters.line == "received 0, delivered 0, refused 0, lost before us 0")
        counters.received = 5
        counters.delivered = 2
        counters.refused = [.version: 1, .truncated: 2, .sender: 0]
        counters.lost = 7
        #expect(
            counters.line == "received 5, delivered 2, refused 3 (truncated 2, version 1), lost before us 7")
    }
}
