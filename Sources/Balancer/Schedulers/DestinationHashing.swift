import Wire

/// dh: a table of 256 places, filled with the list in turn whatever the weights, looked up by the address that the
/// client spoke to (`net/netfilter/ipvs/ip_vs_dh.c`). For caches behind a fwmark service.
enum DestinationHashing: Scheduler {
    static var title: String { "Destination hashing" }
    static var summary: String { "by a hash of the destination address" }
    static var isTableOfPlaces: Bool { true }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard record.tableCount != 0 else { return nil }
        let place = Int(record.tableValue(GoldenRatioHash.byte(request.virtual.folded)))
        return slots.destination(record.destination(place).slot).isUsable ? place : nil
    }

    static func table(_ service: ServiceDestinations) -> [UInt32] {
        guard !service.records.isEmpty else { return [] }
        return (0..<GoldenRatioHash.places).map { UInt32($0 % service.records.count) }
    }
}
