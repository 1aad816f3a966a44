/// Finds what somebody meant who mistyped a word.
enum NearestWord {
    /// The known word with the fewest changes from `word`; nil when all are too far for a guess.
    static func of(_ word: String, among known: [String]) -> String? {
        let limit = max(2, word.count / 3)
        let best = known.map { (word: $0, distance: distance(Array(word.utf8), Array($0.utf8))) }
            .min { $0.distance < $1.distance }
        guard let best, best.distance <= limit, best.distance < best.word.count else { return nil }
        return best.word
    }

    /// Letters to insert, delete, replace or exchange with their neighbour (Damerau, Levenshtein: optimal string
    /// alignment).
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var cost = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }

    /// `; did you mean "x"?`, or the list of what is known.
    static func hint(_ word: String, among known: [String]) -> String {
        if let nearest = of(word, among: known) { return "; did you mean \"\(nearest)\"?" }
        return "; known are: \(known.joined(separator: ", "))"
    }
}
