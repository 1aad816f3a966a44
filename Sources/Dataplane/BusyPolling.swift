import CLinuxNet

/// Decides whether a worker that has nothing to do looks for frames over and over for a moment before it sleeps: a thread
/// that sleeps must be woken, which costs a frame more than anything that is done with it.
///
/// Only where frames came that soon of late, and where no thread waits for a processor (`/proc/loadavg`, looked at now and
/// then): a processor that others could use is worth more to them. One thread.
struct BusyPolling {
    /// How long it looks, in nanoseconds.
    static let longest: Int64 = 50_000
    /// How long what was found about processors holds, in nanoseconds.
    static let interval: Int64 = 5_000_000
    /// Soon ended waits that are needed, and the most that are remembered; a long one takes away `penalty` of these.
    private static let needed = 4
    private static let most = 16
    private static let penalty = 4

    private var soonEnded = 0
    private var looked: Int64?
    private var isFree = false

    /// Whether to look now.
    /// - Parameters:
    ///   - now: nanoseconds of a clock.
    ///   - processorsAreFree: asks the kernel.
    mutating func isWorthwhile(at now: Int64, processorsAreFree: () -> Bool = Self.processorsAreFree) -> Bool {
        guard soonEnded >= Self.needed else { return false }
        if let looked, now &- looked < Self.interval { return isFree }
        looked = now
        isFree = processorsAreFree()
        return isFree
    }

    /// A wait took so many nanoseconds, asleep or not.
    mutating func waited(_ nanoseconds: Int64) {
        soonEnded =
            nanoseconds <= Self.longest ? min(soonEnded &+ 1, Self.most) : max(soonEnded &- Self.penalty, 0)
    }

    /// Whether there are several processors, and one for each thread that wants one.
    static func processorsAreFree() -> Bool {
        let processors = CLinuxNet_onlineProcessors()
        return processors > 1 && CLinuxNet_runningThreads() <= processors
    }
}
