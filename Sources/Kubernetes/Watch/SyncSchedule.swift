/// When rules are brought up to date: after a change, yet at most once a `minSyncPeriod`, and at least once a
/// `syncPeriod`. Times are durations since any fixed moment.
public struct SyncSchedule: Hashable, Sendable {
    /// The least time between two syncs.
    public var minimum: Duration
    /// The most time between two syncs.
    public var period: Duration
    private var last: Duration?
    private var hasChanged = false
    private var hasFailed = false
    /// After a failure it is tried again this soon.
    private static let retry = Duration.seconds(5)

    /// A sync is due at once.
    public init(minimum: Duration, period: Duration) {
        self.minimum = minimum
        self.period = period
    }

    /// Something changed.
    public mutating func noteChange() { hasChanged = true }

    /// A sync began.
    public mutating func noteSync(at now: Duration) {
        last = now
        (hasChanged, hasFailed) = (false, false)
    }

    /// The last sync did not succeed.
    public mutating func noteFailure() { hasFailed = true }

    /// How long until the next sync is due, if nothing changes meanwhile; zero: now.
    public func delay(at now: Duration) -> Duration {
        guard let last else { return .zero }
        let wait = hasChanged ? minimum : hasFailed ? min(period, max(minimum, Self.retry)) : period
        return max(.zero, last + wait - now)
    }
}
