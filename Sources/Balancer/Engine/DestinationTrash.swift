/// Deleted destinations whose entries may still live: added again they are the same object, counts included
/// (`ip_vs_ctl.c`, `ip_vs_trash_get_dest` and `ip_vs_dest_trash_expire`).
struct DestinationTrash {
    private struct Key: Hashable {
        var service: ServiceKey
        var destination: DestinationKey
    }

    private struct Item {
        var rule: DestinationRule
        var isIdleSince: UInt64?
    }

    /// A destination is here once at most: added again it is taken out.
    private var items: [Key: Item] = [:]
    private var nextLook: UInt64?
    /// Milliseconds between looks, and that an idle destination is kept at least.
    private static let interval: UInt64 = 60_000
    private static let keep: UInt64 = 120_000

    mutating func put(_ rule: DestinationRule, of service: ServiceKey, milliseconds: UInt64) {
        if items.isEmpty { nextLook = milliseconds + Self.interval }
        items[Key(service: service, destination: rule.destination.key)] = Item(rule: rule, isIdleSince: nil)
    }

    mutating func take(_ key: DestinationKey, of service: ServiceKey) -> DestinationRule? {
        items.removeValue(forKey: Key(service: service, destination: key))?.rule
    }

    /// Those that connections still use, in no order.
    func inUse(_ slots: StateSlots) -> [(service: ServiceKey, destination: Destination)] {
        items.filter { slots.destination($0.value.rule.slot).references > 0 }.map {
            ($0.key.service, $0.value.rule.destination)
        }
    }

    /// Slots of destinations that are idle for long enough, and are let go.
    mutating func expired(milliseconds: UInt64, _ slots: StateSlots) -> [UInt32] {
        var gone: [UInt32] = []
        while let look = nextLook, look <= milliseconds {
            for (key, item) in items {
                let isIdle = slots.destination(item.rule.slot).references == 0
                if isIdle, let since = item.isIdleSince, look >= since + Self.keep {
                    gone.append(item.rule.slot)
                    items[key] = nil
                } else if isIdle, item.isIdleSince == nil {
                    items[key]?.isIdleSince = look
                }
            }
            nextLook = items.isEmpty ? nil : look + Self.interval
        }
        // In the same order in every run, so that slots are given out again in the same order too.
        return gone.sorted()
    }
}
