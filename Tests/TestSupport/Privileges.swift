import Foundation

/// What this process may do, found out by trying once. For `.enabled(if: Privileges.canMakeNamespaces, …)`.
public enum Privileges {
    /// Whether a program started from here can make network namespaces as it is (`ip netns add`).
    public static let canMakeNamespaces = succeeds(["--net", "--mount", "true"])

    /// Whether a program started from here can make them in a user namespace of its own (`unshare -Urnm`).
    public static let canMakeUserNamespaces = succeeds(["--user", "--map-root-user", "--net", "--mount", "true"])

    /// Why `canMakeNamespaces` is what it is, for people.
    public static var reason: String {
        if canMakeNamespaces { return "network namespaces can be made" }
        guard geteuid() == 0 else { return "needs root to make network namespaces" }
        return "runs as root, but this machine forbids making network namespaces"
    }

    /// Run `unshare` with `arguments`, which must end with a program that does nothing.
    private static func succeeds(_ arguments: [String]) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }
}
