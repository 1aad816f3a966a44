import Synchronization

/// What became of the packets that came; written by one thread, read by any. At rest `received` is the sum of the others
/// but `lost`.
public struct DecapsulationCounters: Sendable {
    /// Packets of tunnels.
    public var received: UInt64 = 0
    /// Packets given to the host's stack.
    public var delivered: UInt64 = 0
    /// Packets that were not, by reason.
    public var refused: [Refusal: UInt64] = [:]
    /// Packets that the kernel dropped before we saw them, for lack of room in a socket.
    public var lost: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// One line: `received 5, delivered 3, refused 2 (truncated 1, version 1), lost before us 0`.
    public var line: String {
        let reasons = Refusal.allCases.compactMap { reason in
            refused[reason].flatMap { $0 > 0 ? "\(reason.rawValue) \($0)" : nil }
        }
        let total = refused.values.reduce(0, +)
        let detail = reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))"
        return "received \(received), delivered \(delivered), refused \(total)\(detail), lost before us \(lost)"
    }
}

/// The counters behind it.
final class SharedCounters: Sendable {
    let received = Atomic<UInt64>(0)
    let delivered = Atomic<UInt64>(0)
    private let refused = Mutex<[Refusal: UInt64]>([:])

    /// Count one that is refused.
    func refuse(_ reason: Refusal) { refused.withLock { $0[reason, default: 0] += 1 } }

    /// As they stand.
    var current: DecapsulationCounters {
        var counters = DecapsulationCounters()
        counters.received = received.load(ordering: .relaxed)
        counters.delivered = delivered.load(ordering: .relaxed)
        counters.refused = refused.withLock { $0 }
        return counters
    }
}
