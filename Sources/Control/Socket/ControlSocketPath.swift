public import Foundation
import Glibc

/// Where the control socket of a network namespace is.
///
/// The folders are looked through in the same order by daemon and client: `/run/fairlead`, `$XDG_RUNTIME_DIR/fairlead`,
/// `/tmp/fairlead-UID`. The file is named for the inode of `/proc/self/ns/net`, so that `ip netns exec NS ipvsadm`
/// finds the Fairlead of NS.
public struct ControlSocketPath: Sendable {
    /// The environment variable that names a socket.
    public static let variable = "FAIRLEAD_CONTROL"

    private let chosen: String?
    private let folders: [String]
    private let name: String

    /// `option` is what `--control` said; the environment comes after it, the default places last.
    public init(option: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment) {
        let variable = environment[Self.variable].flatMap { $0.isEmpty ? nil : $0 }
        let runtime = environment["XDG_RUNTIME_DIR"].flatMap { $0.isEmpty ? nil : $0 + "/fairlead" }
        self.init(
            chosen: option ?? variable, folders: ["/run/fairlead"] + [runtime].compactMap(\.self) + [Self.ownFolder])
    }

    /// For tests: other folders than the default ones.
    init(chosen: String?, folders: [String]) {
        self.chosen = chosen
        self.folders = folders
        name = "\(FileStatus("/proc/self/ns/net", followLinks: true)?.inode ?? 0).sock"
    }

    private static var ownFolder: String { "/tmp/fairlead-\(FileSystem.user)" }

    /// The places, best first.
    public var candidates: [String] { chosen.map { [$0] } ?? folders.map { "\($0)/\(name)" } }

    /// Where a daemon is to listen: the first place that it may write to, its folder made if need be.
    public func forServer() throws(ControlError) -> String {
        if let chosen { return chosen }
        for folder in folders where Self.prepare(folder) { return "\(folder)/\(name)" }
        throw ControlError(
            "no folder for the control socket can be written (\(folders.joined(separator: ", "))); use --control PATH")
    }

    /// Where a client finds a daemon: the first place where there is a socket; the best place when there is none.
    public func forClient() -> String {
        candidates.first { FileStatus($0)?.isSocket == true } ?? candidates[0]
    }

    /// A folder that others could have made under our name is taken only if it is ours alone.
    private static func prepare(_ folder: String) -> Bool {
        let isShared = folder == "/run/fairlead"
        guard FileSystem.makeFolder(folder, permissions: isShared ? 0o755 : 0o700), FileSystem.isWritable(folder),
            let status = FileStatus(folder), status.isFolder
        else { return false }
        return isShared || (status.owner == FileSystem.user && status.permissions & 0o022 == 0)
    }
}
