/// Decides whether a worker that has nothing to do lets other threads run before it sleeps.
///
/// With one processor, what the worker waits for is sent by a thread that cannot run meanwhile: often one that is in the midst
/// of a burst, and was interrupted since its first frame woke the worker. If that thread goes on while the worker can run but
/// does not, its other frames wake nobody, and all are found at once. Once after frames: who lets others run and finds nothing
/// then sleeps. A thread that does not sleep is not woken before its turn either, so who gives way to one that computes for
/// long gives way to nobody for some time.
struct Yielding {
    /// The longest that others may have run, in nanoseconds, if it is to be done again at once: less than a slice of a thread
    /// that computes, more than a burst takes.
    static let longest: Int64 = 1_000_000
    /// How often it is not done after it took longer.
    static let penalty = 256

    private let isUseful: Bool
    private var hasServed = false
    private var pause = 0

    /// - Parameter isUseful: whether there is one processor, and looking for frames costs no system call.
    init(isUseful: Bool) { self.isUseful = isUseful }

    /// There were frames.
    mutating func served() { hasServed = true }

    /// Whether to let others run, now that there is nothing to do.
    mutating func isWorthwhile() -> Bool {
        guard isUseful, hasServed else { return false }
        hasServed = false
        guard pause == 0 else {
            pause &-= 1
            return false
        }
        return true
    }

    /// Others ran for so many nanoseconds.
    mutating func took(_ nanoseconds: Int64) { if nanoseconds > Self.longest { pause = Self.penalty } }
}
