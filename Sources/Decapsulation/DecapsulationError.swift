import Glibc
public import PacketIO

/// Why decapsulation cannot start; its description is one line that says what to do.
public enum DecapsulationError: Error, Hashable, Sendable {
    /// The kernel refuses `action` to this user, who lacks `capability`.
    case notPermitted(action: String, capability: String)
    /// The TUN device cannot be made.
    case tun(TunError)
    /// Somebody else listens on this UDP port.
    case portInUse(UInt16)
    /// A system call failed with `errno`.
    case system(action: String, errno: Int32)

    /// From the errno that `action` ended with.
    init(_ action: String, errno: Int32, needs capability: String) {
        let isRefused = errno == EPERM || errno == EACCES
        self =
            isRefused
            ? .notPermitted(action: action, capability: capability) : .system(action: action, errno: errno)
    }
}

extension DecapsulationError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .notPermitted(let action, let capability):
            return "\(action): not permitted; run as root or give the program the capability \(capability)"
        case .tun(let error): return "--tun: \(error)"
        case .portInUse(let port): return "UDP port \(port) is in use; choose another with --gue-port"
        case .system(let action, let errno): return "\(action): \(Self.text(errno))"
        }
    }

    private static func text(_ errno: Int32) -> String {
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }
}
