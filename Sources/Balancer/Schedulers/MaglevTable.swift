/// In which order a destination wants the places of a Maglev table: `first`, then on by `step` round a table of prime
/// size.
struct MaglevPermutation {
    /// The next place it wants.
    var place: Int
    /// From one wanted place to the next.
    let step: Int

    init(first: Int, step: Int) {
        place = first
        self.step = step
    }

    /// Take the first wanted place that is free.
    fileprivate mutating func claim(_ owner: Int, _ table: inout [UInt32]) {
        while table[place] != MaglevTable.free { place = (place + step) % table.count }
        table[place] = UInt32(owner)
    }
}

/// Maglev's way to fill a table (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI
/// 2016, section 3.4): the owners take turns, each claiming the next free place of its permutation.
enum MaglevTable {
    /// A place not yet claimed.
    static var free: UInt32 { .max }

    /// Rounds over all owners, each with so many turns running in each round (mh).
    static func fill(size: Int, _ permutations: [MaglevPermutation], turnsEachRound turns: [Int]) -> [UInt32] {
        guard turns.contains(where: { $0 > 0 }) else { return [] }
        var permutations = permutations
        var table = [UInt32](repeating: free, count: size)
        var claimed = 0
        while true {
            for owner in permutations.indices {
                for _ in 0..<turns[owner] {
                    permutations[owner].claim(owner, &table)
                    claimed += 1
                    if claimed == size { return table }
                }
            }
        }
    }

    /// One turn at a time, spread so that each owner has had its weight's share of turns at any moment (Cilium's rule):
    /// an owner is passed over while it is ahead. All weights are above 0.
    static func fill(size: Int, _ permutations: [MaglevPermutation], weights: [Int]) -> [UInt32] {
        guard let anyWeight = weights.first else { return [] }
        var permutations = permutations
        var table = [UInt32](repeating: free, count: size)
        let count = permutations.count
        let sum = weights.reduce(0, +)
        let isWeighted = weights.contains { $0 != anyWeight }
        // What turn times weight must reach before the next turn of an owner.
        var due = weights.map { Double($0) / Double(count) }
        for turn in 0..<size {
            var owner = turn % count
            while isWeighted, Double((turn + 1) * weights[owner]) < due[owner].rounded(.down) {
                owner = (owner + 1) % count
            }
            if isWeighted { due[owner] += Double(sum) }
            permutations[owner].claim(owner, &table)
        }
        return table
    }
}
