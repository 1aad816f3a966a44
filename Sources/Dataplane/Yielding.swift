/// Decides whether a worker that has nothing to do lets other threads run before it sleeps.
///
/// With one processor, what the worker waits for is sent by a thread that cannot run meanwhile: often one that is in the midst
/// of a burst, and was interrupted since its first frame woke the worker. If that thread goes on while the worker can run but
/// does not, its other frames wake nobody, and all are found at once. Once after frames: who lets others run and finds nothing
/// then sleeps.
struct Yielding {
    private let isUseful: Bool
    private var hasServed = false

    /// - Parameter isUseful: whether there is one processor, and looking for frames costs no system call.
    init(isUseful: Bool) { self.isUseful = isUseful }

    /// There were frames.
    mutating func served() { hasServed = true }

    /// Whether to let others run, now that there is nothing to do.
    mutating func isWorthwhile() -> Bool {
        guard isUseful, hasServed else { return false }
        hasServed = false
        return true
    }
}
