import Wire

/// Writes the search for an address, word by word, and for a key in the set that belongs to it.
struct FilterAddressTree {
    /// The words of an address, first to last, and the place of its keys.
    private struct Entry {
        var words: [UInt32]
        var leaf: FilterAssembler.Label
    }

    let table: FilterTable
    let family: AddressFamily
    let step: SocketFilter.Step
    /// The scratch word where the address begins.
    let address: UInt32
    /// The scratch word of the key.
    let key: UInt32

    /// Go to `accept` when the key is one of the address's, else to `otherwise`.
    func write(
        to assembler: inout FilterAssembler, accept: FilterAssembler.Label, otherwise: FilterAssembler.Label
    ) {
        var leaves: [(keys: FilterKeySet, label: FilterAssembler.Label)] = []
        var known: [FilterKeySet: FilterAssembler.Label] = [:]
        let addresses = table.keys.keys.filter { $0.family == family }.sorted()
        let entries = addresses.map { address in
            let keys = table.keys[address] ?? FilterKeySet()
            let leaf = known[keys] ?? assembler.label()
            if known.updateValue(leaf, forKey: keys) == nil { leaves.append((keys, leaf)) }
            return Entry(words: words(of: address), leaf: leaf)
        }
        guard let first = entries.first else { return assembler.jump(otherwise) }
        if step.precision == .everyAddress {
            assembler.jump(first.leaf)
        } else {
            write(entries[...], word: 0, to: &assembler, otherwise: otherwise)
        }
        for (keys, label) in leaves {
            assembler.place(label)
            assembler.emit(FilterOperation.loadScratch, key)
            let ranges = keys.ranges.map { FilterRange(first: $0.first, last: $0.last, target: accept) }
            assembler.search(ranges[...], otherwise: otherwise)
        }
    }

    /// The words that are searched: with address ranges only the first two of IPv6.
    private func words(of address: IPAddress) -> [UInt32] {
        guard family == .v6 else { return [address.v4] }
        let words = [address.high >> 32, address.high, address.low >> 32, address.low]
        return words.prefix(step.precision == .addressRanges ? 2 : 4).map { UInt32(truncatingIfNeeded: $0) }
    }

    /// Search entries, sorted and alike in the words before `word`.
    private func write(
        _ entries: ArraySlice<Entry>, word: Int, to assembler: inout FilterAssembler,
        otherwise: FilterAssembler.Label
    ) {
        assembler.emit(FilterOperation.loadScratch, address + UInt32(word))
        let groups = groups(entries, word: word)
        guard let first = groups.first, first.words.count - 1 > word else {
            var ranges = groups.map { FilterRange(first: $0.words[word], last: $0.words[word], target: $0.leaf) }
                .joined()
            if step.precision == .addressRanges { ranges = ranges.widened(to: step.addressRanges) }
            return assembler.search(ranges[...], otherwise: otherwise)
        }
        var below: [(label: FilterAssembler.Label, entries: ArraySlice<Entry>)] = []
        var start = entries.startIndex
        while start < entries.endIndex {
            let end = entries[start...].firstIndex { $0.words[word] != entries[start].words[word] } ?? entries.endIndex
            below.append((assembler.label(), entries[start..<end]))
            start = end
        }
        let ranges = below.map { label, entries in
            FilterRange(
                first: entries[entries.startIndex].words[word], last: entries[entries.startIndex].words[word],
                target: label)
        }
        assembler.search(ranges[...], otherwise: otherwise)
        for (label, entries) in below {
            assembler.place(label)
            write(entries, word: word + 1, to: &assembler, otherwise: otherwise)
        }
    }

    /// One entry for each value of `word`.
    private func groups(_ entries: ArraySlice<Entry>, word: Int) -> [Entry] {
        var groups: [Entry] = []
        for entry in entries where groups.last?.words[word] != entry.words[word] { groups.append(entry) }
        return groups
    }
}
