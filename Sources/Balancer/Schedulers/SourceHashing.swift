import Wire

/// sh: a table of 256 places, filled with the list in turn, each destination as many places running as its weight says
/// (0: one), looked up by the client's address and, with `sh-port`, its port (`net/netfilter/ipvs/ip_vs_sh.c`).
///
/// A place whose destination is unusable gives no destination; with `sh-fallback` the table is walked on.
enum SourceHashing: Scheduler {
    static var title: String { "Source hashing" }
    static var summary: String {
        "by a hash of the client's address (sh-port: and port; sh-fallback: another if it is down)"
    }
    static var flags: SchedulerFlags { [.fallback, .port] }
    static var isTableOfPlaces: Bool { true }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        guard record.tableCount != 0 else { return nil }
        let flags = SchedulerFlags(rawValue: record.schedulerFlags)
        let port = flags.contains(.port) ? UInt32(request.clientPort) : 0
        let home = GoldenRatioHash.byte(request.client.folded &+ port)
        let place = Int(record.tableValue(home))
        if slots.destination(record.destination(place).slot).isUsable { return place }
        guard flags.contains(.fallback) else { return nil }
        for offset in 0..<GoldenRatioHash.places {
            // The kernel adds the home place to the offset and then to the hash again.
            let index = (offset &+ home &+ home) & (GoldenRatioHash.places &- 1)
            let other = Int(record.tableValue(index))
            if slots.destination(record.destination(other).slot).isUsable { return other }
        }
        return nil
    }

    static func table(_ service: ServiceDestinations) -> [UInt32] {
        guard !service.records.isEmpty else { return [] }
        var table: [UInt32] = []
        while table.count < GoldenRatioHash.places {
            for (place, destination) in service.records.enumerated() {
                let run = min(max(Int(destination.weight), 1), GoldenRatioHash.places - table.count)
                table.append(contentsOf: repeatElement(UInt32(place), count: run))
            }
        }
        return table
    }
}
