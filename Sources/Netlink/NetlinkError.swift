public import SystemPackage

/// Why a request to the kernel failed; its description is one line for the user.
public enum NetlinkError: Error, Hashable, Sendable {
    /// A call failed: which, on what, why, and what the kernel said of it (often nothing).
    case call(String, object: String, Errno, detail: String?)
    /// There is no interface of that name.
    case noSuchInterface(String)
    /// The kernel has no nf_tables or lacks a part of it.
    case missingNfTables(String)
    /// The answer did not come in time.
    case timeout(String)

    /// The error number, where there is one.
    public var errno: Errno? {
        if case .call(_, _, let errno, _) = self { errno } else { nil }
    }
}

extension NetlinkError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .call(let call, let object, let errno, let detail):
            let hint = errno == .notPermitted || errno == .permissionDenied ? "; run as root or with CAP_NET_ADMIN" : ""
            return "\(call) \(object): \(errno)\(detail.map { " (\($0))" } ?? "")\(hint)"
        case .noSuchInterface(let name): return "no interface \(name); `ip link` lists those there are"
        case .missingNfTables(let what):
            return "the kernel lacks \(what); load or build nf_tables with netdev ingress (modprobe nf_tables)"
        case .timeout(let call): return "\(call): the kernel did not answer"
        }
    }
}
