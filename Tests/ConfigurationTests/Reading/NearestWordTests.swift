import Testing

@testable import Configuration

@Suite struct NearestWordTests {
    @Test func countsChanges() {
        func distance(_ left: String, _ right: String) -> Int {
            NearestWord.distance(Array(left.utf8), Array(right.utf8))
        }
        #expect(distance("weight", "weight") == 0)
        #expect(distance("wieght", "weight") == 1)
        #expect(distance("weigt", "weight") == 1)
        #expect(distance("", "abc") == 3 && distance("abc", "") == 3)
        #expect(distance("kitten", "sitting") == 3)
    }

    @Test func guessesOnlyWhatIsNear() {
        #expect(NearestWord.of("adress", among: ["address", "weight"]) == "address")
        #expect(NearestWord.of("xyz", among: ["address", "weight"]) == nil)
        #expect(NearestWord.of("q", among: ["rr", "lc"]) == nil)
        #expect(NearestWord.hint("q", among: ["rr", "lc"]) == "; known are: rr, lc")
    }
}
