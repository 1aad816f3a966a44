/// What a change of a service's destinations does to the table of its scheduler.
public struct TableDisruption: Hashable, Sendable {
    /// Places of the table.
    public var places: Int
    /// Places that go to another destination.
    public var moved: Int
    /// Places that had to move for the new shares, whatever the scheduler: what destinations lose in sum.
    public var unavoidable: Int
    /// Places that each destination had before.
    public var owned: [DestinationKey: Int] = [:]
    /// Places of these that another destination has afterwards.
    public var lost: [DestinationKey: Int] = [:]

    /// From its parts.
    public init(places: Int, moved: Int, unavoidable: Int) {
        self.places = places
        self.moved = moved
        self.unavoidable = unavoidable
    }

    /// From whom each place belongs to before and after. Tables of two sizes have nothing in common.
    init(from old: [DestinationKey], to new: [DestinationKey]) {
        places = max(old.count, new.count)
        guard old.count == new.count else {
            moved = places
            unavoidable = places
            return
        }
        var losses: [DestinationKey: Int] = [:]
        moved = 0
        for (before, after) in zip(old, new) {
            owned[before, default: 0] += 1
            guard before != after else { continue }
            moved += 1
            lost[before, default: 0] += 1
            losses[before, default: 0] += 1
            losses[after, default: 0] -= 1
        }
        unavoidable = losses.values.filter { $0 > 0 }.reduce(0, +)
    }
}

extension SchedulerKind {
    /// Whether it has a table whose places belong to destinations (dh, sh, mh, maglev).
    var hasTableOfPlaces: Bool { implementation.isTableOfPlaces }

    /// What a change from one list of destinations to another, both newest first, would do to the table: a place is a
    /// share of the clients, so `moved` / `places` is the part of the clients that go to another destination.
    ///
    /// Nil for schedulers without a table of places (dh, sh, mh and maglev have one). Control side.
    public func tableDisruption(
        from old: [Destination], to new: [Destination], tableSize: Int = 0
    ) -> TableDisruption? {
        guard implementation.isTableOfPlaces else { return nil }
        let oldOwners = owners(old, lastWeights: [:], tableSize)
        // A destination that is quiesced keeps its places under mh and maglev.
        let newOwners = owners(
            new, lastWeights: Dictionary(old.map { ($0.key, $0.weight) }, uniquingKeysWith: { first, _ in first }),
            tableSize)
        return TableDisruption(from: oldOwners, to: newOwners)
    }

    /// Who owns each place of the table.
    private func owners(
        _ destinations: [Destination], lastWeights: [DestinationKey: Int32], _ tableSize: Int
    ) -> [DestinationKey] {
        let records = destinations.enumerated().map { place, destination in
            DestinationRecord(
                address: destination.key.address, port: destination.key.port, method: destination.method,
                tunnelKind: destination.tunnel.kind, tunnelPort: destination.tunnel.port,
                tunnelChecksum: destination.tunnel.checksum, slot: UInt32(place), weight: destination.weight,
                lastWeight: destination.weight > 0 ? destination.weight : lastWeights[destination.key] ?? 0)
        }
        return implementation.table(ServiceDestinations(records: records, flags: [], tableSize: tableSize))
            .map { destinations[Int($0)].key }
    }
}
