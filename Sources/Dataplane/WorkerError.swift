import Glibc

/// Why a worker does not start; its description is one line that says what to do.
public enum WorkerError: Error, Hashable, Sendable {
    /// The kernel refused the real-time policy with `errno`.
    case notRealTime(errno: Int32)
}

extension WorkerError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .notRealTime(EPERM):
            "workers under the real-time policy: not permitted; run as root or give the program the capability CAP_SYS_NICE"
        case .notRealTime(let errno): "workers under the real-time policy: errno \(errno)"
        }
    }
}
