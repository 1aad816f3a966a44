/// What becomes of the connections that are left at a drain's deadline.
public enum DrainEnding: String, Hashable, Sendable, CaseIterable {
    /// TCP: both ends get a reset. Other entries end.
    case reset
    /// All entries end, without a word: what comes next of them is handled as if there had been none.
    case reassign
}

/// A drain as it stands.
public struct DrainStatus: Sendable {
    /// Where it is.
    public enum Phase: String, Hashable, Sendable {
        /// Connections are left, and so is time.
        case waiting
        /// The deadline is over, and what is left is being ended.
        case cutting
        /// No connection is left.
        case done
        /// The real server was given a weight, or deleted, before the end.
        case cancelled
    }

    /// Where it is.
    public var phase: Phase
    /// What happens at the deadline.
    public var ending: DrainEnding
    /// Milliseconds to the deadline.
    public var remainingMilliseconds: UInt64
    /// Connections that were open when it began.
    public var first: Int
    /// Connections that are open now.
    public var open: Int
    /// Connections that were open at the deadline.
    public var cut: Int
    /// Of `cut`, those that ended without a reset, since nothing showed their sequence numbers.
    public var silent: Int
    /// Open connections, the oldest first.
    public var holdouts: [ConnectionStatus]
}

/// A drain: a real server that gets no new connections, until its old ones have ended or a deadline has passed.
struct Drain {
    let service: ServiceKey
    let destination: DestinationKey
    let slot: UInt32
    let ending: DrainEnding
    /// On the engine's clock, in milliseconds.
    let deadline: UInt64
    let first: Int
    var phase = DrainStatus.Phase.waiting
    var open: Int
    var cut = 0
    var silent = 0
    /// When it looks at the table next.
    var next: UInt64
    /// While it cuts: when it stops waiting for sequence numbers.
    var patience: UInt64 = 0

    /// Milliseconds between looks at the table.
    static let interval: UInt64 = 500
    /// Milliseconds after the deadline in which clients are asked for sequence numbers, each second once.
    static let asking: UInt64 = 3000

    /// Whether it goes on.
    var isRunning: Bool { phase == .waiting || phase == .cutting }
}
