import Glibc

/// Why a port could not be set up. The description is one line that says what to do.
public enum PortError: Error, Hashable, Sendable {
    /// There is no interface of this name in the network namespace.
    case noSuchInterface(String)
    /// The interface does not carry Ethernet frames; `type` is its ARPHRD_ number (`net/if_arp.h`).
    case notEthernet(String, type: Int32)
    /// The kernel refuses `action` to this user.
    case notPermitted(action: String)
    /// There is no memory for the frame buffers.
    case noMemory(action: String, bytes: Int)
    /// The interface, or this kernel, cannot do `action`.
    case unsuitable(action: String, reason: String)
    /// A system call failed with `errno`.
    case system(action: String, errno: Int32)

    /// From the errno that `action` ended with.
    init(_ action: String, errno: Int32) {
        self =
            errno == EPERM || errno == EACCES ? .notPermitted(action: action) : .system(action: action, errno: errno)
    }
}

extension PortError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .noSuchInterface(let name):
            "interface \(name) does not exist here; `ip -brief link` lists those that do"
        case .notEthernet(let name, let type):
            "interface \(name) does not carry Ethernet frames (hardware type \(type)); choose one that does"
        case .notPermitted(let action):
            "\(action): not permitted; run as root or give the program the capability CAP_NET_RAW"
        case .noMemory(let action, let bytes):
            "\(action): no memory for \(bytes) bytes of frame buffers; free some or raise the limit"
        case .unsuitable(let action, let reason):
            "\(action): \(reason); use a packet socket"
        case .system(let action, let errno):
            "\(action): \(errnoText(errno))"
        }
    }
}
