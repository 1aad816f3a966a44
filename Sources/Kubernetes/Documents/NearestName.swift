/// The name among those known that a mistyped one most likely meant.
enum NearestName {
    /// Nil when nothing is near: more than a third of the letters would have to change.
    static func of(_ name: String, among known: some Sequence<String>) -> String? {
        let letters = Array(name.lowercased().utf8)
        var best: (distance: Int, name: String)?
        for candidate in known.sorted() {
            let distance = distance(letters, Array(candidate.lowercased().utf8))
            guard distance <= max(1, max(letters.count, candidate.utf8.count) / 3) else { continue }
            if let found = best, found.distance <= distance { continue }
            best = (distance, candidate)
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var before = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1] + [Int](repeating: 0, count: right.count)
            for column in 0..<right.count {
                let replaced = last[column] + (left[row] == right[column] ? 0 : 1)
                current[column + 1] = min(last[column + 1] + 1, current[column] + 1, replaced)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    current[column + 1] = min(current[column + 1], before[column - 1] + 1)
                }
            }
            (before, last) = (last, current)
        }
        return last[right.count]
    }
}
