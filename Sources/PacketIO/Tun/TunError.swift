/// Why a TUN device cannot be made; its description is one line that says what to do.
public enum TunError: Error, Hashable, Sendable {
    /// There is an interface of this name already.
    case nameInUse(String)
    /// The name is too long for an interface, or empty.
    case badName(String)
    /// The kernel has no TUN devices, or the device file is missing.
    case noTunDevices
    /// This user may not open the device file.
    case deviceFileClosed
    /// This user may not make the device of this name.
    case notPermitted(String)
    /// Making the device of this name failed with `errno`.
    case system(String, errno: Int32)
}

extension TunError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .nameInUse(let name): "an interface \(name) is there already; choose another name, or remove it"
        case .badName(let name): "\"\(name)\" cannot name an interface; a name has 1 to 15 characters"
        case .noTunDevices: "no /dev/net/tun: load the kernel's tun module (modprobe tun)"
        case .deviceFileClosed:
            "/dev/net/tun: permission denied; run as root, or let users open it (mode 0666, as udev makes it)"
        case .notPermitted(let name):
            "make the TUN device \(name): not permitted; run as root or give the program the capability CAP_NET_ADMIN"
        case .system(let name, let errno): "make the TUN device \(name): \(errnoText(errno))"
        }
    }
}
