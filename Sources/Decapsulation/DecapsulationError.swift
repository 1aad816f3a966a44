import Glibc

/// Why decapsulation cannot start; its description is one line that says what to do.
public enum DecapsulationError: Error, Hashable, Sendable {
    /// The kernel refuses `action` to this user, who lacks `capability`.
    case notPermitted(action: String, capability: String)
    /// There is an interface of this name already.
    case nameInUse(String)
    /// The name is too long for an interface, or empty.
    case badName(String)
    /// The kernel has no TUN devices, or the device file is missing.
    case noTunDevices
    /// This user may not open the device file.
    case deviceFileClosed
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
        case .nameInUse(let name):
            return "an interface \(name) is there already; choose another name with --tun, or remove it"
        case .badName(let name): return "\"\(name)\" cannot name an interface; --tun takes 1 to 15 characters"
        case .noTunDevices: return "no /dev/net/tun: load the kernel's tun module (modprobe tun)"
        case .deviceFileClosed:
            return "/dev/net/tun: permission denied; run as root, or let users open it (mode 0666, as udev makes it)"
        case .portInUse(let port): return "UDP port \(port) is in use; choose another with --gue-port"
        case .system(let action, let errno): return "\(action): \(Self.text(errno))"
        }
    }

    private static func text(_ errno: Int32) -> String {
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }
}
