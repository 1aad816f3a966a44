/// Values of A from `first` to `last`, and where they lead.
struct FilterRange<Target: Hashable>: Hashable {
    var first: UInt32
    var last: UInt32
    var target: Target
}

extension Array {
    /// The ranges with neighbours joined that touch and lead to the same place. They must be sorted and apart.
    func joined<Target>() -> [FilterRange<Target>] where Element == FilterRange<Target> {
        var joined: [FilterRange<Target>] = []
        for range in self {
            if let last = joined.last, last.target == range.target, last.last &+ 1 == range.first {
                joined[joined.count - 1].last = range.last
            } else {
                joined.append(range)
            }
        }
        return joined
    }

    /// At most `limit` ranges that cover these: the narrowest gaps between them are filled. All must lead to one place.
    func widened<Target>(to limit: Int) -> [FilterRange<Target>] where Element == FilterRange<Target> {
        guard count > limit, limit > 0 else { return self }
        func gap(before index: Int) -> UInt32 { self[index].first - self[index - 1].last }
        let widest = (1..<count).sorted { gap(before: $0) > gap(before: $1) }
        let starts = [0] + widest.prefix(limit - 1).sorted()
        return starts.enumerated().map { place, start in
            let end = place + 1 < starts.count ? starts[place + 1] : count
            return FilterRange(first: self[start].first, last: self[end - 1].last, target: self[start].target)
        }
    }
}

extension FilterAssembler {
    /// Ranges that are compared one after the other at the end of a search.
    private static let rangesPerBlock = 12

    /// Go to the target of the range that A lies in, or to `otherwise`: halves the sorted ranges until few are left.
    mutating func search(_ ranges: ArraySlice<FilterRange<Label>>, otherwise: Label) {
        guard ranges.count > Self.rangesPerBlock else { return compare(ranges, otherwise: otherwise) }
        let middle = ranges.startIndex + ranges.count / 2
        let upper = label()
        branch(FilterOperation.isAtLeast, ranges[middle].first, whenTrue: upper)
        search(ranges[..<middle], otherwise: otherwise)
        place(upper)
        search(ranges[middle...], otherwise: otherwise)
    }

    /// Compare with each range. Targets may be far, so each is reached through one long jump behind the block, which all
    /// ranges of the block share.
    private mutating func compare(_ ranges: ArraySlice<FilterRange<Label>>, otherwise: Label) {
        if ranges.count == 1, let range = ranges.first, range.first == range.last {
            return branch(FilterOperation.isEqual, range.first, whenTrue: range.target, whenFalse: otherwise)
        }
        var stations: [(target: Label, station: Label)] = []
        let noMatch = label()
        for range in ranges {
            let station: Label
            if let known = stations.first(where: { $0.target == range.target }) {
                station = known.station
            } else {
                station = label()
                stations.append((range.target, station))
            }
            if range.first == range.last {
                branch(FilterOperation.isEqual, range.first, whenTrue: station)
            } else {
                branch(FilterOperation.isAtLeast, range.first, whenFalse: noMatch)
                branch(FilterOperation.isGreater, range.last, whenFalse: station)
            }
        }
        place(noMatch)
        jump(otherwise)
        for (target, station) in stations {
            place(station)
            jump(target)
        }
    }
}
