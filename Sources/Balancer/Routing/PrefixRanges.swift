/// One prefix of one family for `flatten`, with the number of the record it leads to.
struct Prefix<Key: FixedWidthInteger & UnsignedInteger> {
    /// The first address.
    let first: Key
    /// Bits that count.
    let length: Int
    /// The record.
    let record: UInt32

    /// The last address.
    var last: Key { length == 0 ? .max : first | (Key.max >> Key(length)) }
}

/// The ranges that longest-prefix matching cuts a family's addresses into: sorted starts of disjoint ranges that cover
/// all of it, and for each the record of the longest prefix it lies in.
struct FlatRanges<Key: FixedWidthInteger & UnsignedInteger> {
    private(set) var starts: [Key] = [0]
    private(set) var records: [UInt32]

    /// Flatten prefixes by a sweep with a stack of those that are open. Of prefixes that are equal the first one counts.
    ///
    /// - Parameters:
    ///   - prefixes: In any order.
    ///   - missing: The record where no prefix matches.
    init(_ prefixes: [Prefix<Key>], missing: UInt32) {
        records = [missing]
        let sorted = prefixes.enumerated().sorted { left, right in
            (left.element.first, left.element.length, left.offset)
                < (right.element.first, right.element.length, right.offset)
        }
        var open: [(last: Key, record: UInt32)] = []
        var previous: (first: Key, length: Int)?
        for (_, prefix) in sorted {
            if let previous, previous == (prefix.first, prefix.length) { continue }
            previous = (prefix.first, prefix.length)
            while let top = open.last, top.last < prefix.first {
                open.removeLast()
                append(top.last + 1, open.last?.record ?? missing)
            }
            append(prefix.first, prefix.record)
            open.append((prefix.last, prefix.record))
        }
        while let top = open.popLast(), top.last < .max {
            append(top.last + 1, open.last?.record ?? missing)
        }
    }

    private mutating func append(_ start: Key, _ record: UInt32) {
        if starts[starts.count - 1] == start {
            records[records.count - 1] = record
        } else if records[records.count - 1] != record {
            starts.append(start)
            records.append(record)
        }
    }

    /// How many leading bits the index over the starts takes: about one slot a range, two at least,
    /// 65,536 at most.
    var indexBits: Int { min(16, max(1, Int.bitWidth - (starts.count - 1).leadingZeroBitCount)) }

    /// For each value of the leading `indexBits` bits, and one more: the last range that starts at or before it.
    var index: [UInt32] {
        let bits = indexBits
        let shift = Key.bitWidth - bits
        var index: [UInt32] = []
        index.reserveCapacity(1 << bits + 1)
        var range = 0
        for slot in 0..<(1 << bits) {
            let start = Key(slot) << Key(shift)
            while range + 1 < starts.count, starts[range + 1] <= start { range += 1 }
            index.append(UInt32(range))
        }
        index.append(UInt32(starts.count - 1))
        return index
    }
}
