import Glibc
import Synchronization

/// Keeps the filter of a packet socket in step with what the director owns, as precisely as the kernel has room for. Any
/// thread, one call at a time.
final class AttachedFilter: Sendable {
    /// What `own` attached last.
    private let exact = Mutex<SocketFilter?>(nil)

    /// Let `traffic` through beside what `own` was given last.
    /// - Returns: false when that does not fit; nothing has changed then.
    func include(
        _ traffic: OwnedTraffic, _ attach: (SocketFilter) throws(PortError) -> Void
    ) throws(PortError) -> Bool {
        guard let filter = exact.withLock({ $0 })?.including(traffic) else { return false }
        try attach(filter)
        return true
    }

    /// Let only `traffic` through, with less precision where the kernel has too little room (`net.core.optmem_max`).
    /// - Parameter prepared: one made for `traffic` already, as `SocketFilter(traffic, leaving: PacketSocket.roomForMore)`.
    func own(
        _ traffic: OwnedTraffic, _ prepared: SocketFilter?, _ attach: (SocketFilter) throws(PortError) -> Void
    ) throws(PortError) -> SocketFilter {
        var limit = SocketFilter.kernelLimit
        var prepared = prepared
        while true {
            let room = limit == SocketFilter.kernelLimit ? PacketSocket.roomForMore : 0
            let filter = prepared ?? SocketFilter(traffic, limit: limit, leaving: room)
            prepared = nil
            do throws(PortError) {
                try attach(filter)
                exact.withLock { $0 = filter }
                return filter
            } catch {
                guard case .system(_, ENOMEM) = error, limit > SocketFilter.smallestLimit else { throw error }
                limit = min(limit, filter.instructions.count) / 2
            }
        }
    }
}
