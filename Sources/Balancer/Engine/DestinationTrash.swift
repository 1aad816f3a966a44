/// Deleted destinations whose entries may still live: added again they are the same object, counts included
/// (`ip_vs_ctl.c`, `ip_vs_trash_get_dest` and `ip_vs_dest_trash_expire`).
struct DestinationTrash {
    struct Item {
        var service: ServiceKey
        var rule: DestinationRule
        var isIdleSince: UInt64?
    }

    private var items: [Item] = []
    private var nextLook: UInt64?
    /// Milliseconds between looks, and that an idle destination is kept at least.
    private static let interval: UInt64 = 60_000
    private static let keep: UInt64 = 120_000

    mutating func put(_ rule: DestinationRule, of service: ServiceKey, milliseconds: UInt64) {
        if items.isEmpty { nextLook = milliseconds + Self.interval }
        items.append(Item(service: service, rule: rule, isIdleSince: nil))
    }

    mutating func take(_ key: DestinationKey, of service: ServiceKey) -> DestinationRule? {
        guard let place = items.firstIndex(where: { $0.service == service && $0.rule.destination.key == key }) else {
            return nil
        }
        return items.remove(at: place).rule
    }

    /// Slots of destinations that are idle for long enough, and are let go.
    mutating func expired(milliseconds: UInt64, _ slots: StateSlots) -> [UInt32] {
        var gone: [UInt32] = []
        while let look = nextLook, look <= milliseconds {
            items.removeAll { item in
                guard slots.destination(item.rule.slot).references == 0, let since = item.isIdleSince,
                    look >= since + Self.keep
                else { return false }
                gone.append(item.rule.slot)
                return true
            }
            for place in items.indices {
                let isIdle = slots.destination(items[place].rule.slot).references == 0
                if isIdle, items[place].isIdleSince == nil { items[place].isIdleSince = look }
            }
            nextLook = items.isEmpty ? nil : look + Self.interval
        }
        return gone
    }
}
