public import Foundation
import Glibc

/// The folder of `run --state`: the rules in force, and the states before them. One daemon at a time.
///
/// A file is written under another name, synchronised, and renamed; the one it replaces stays as `rules.previous.yaml`.
/// Whatever happens in between, one of the two is whole.
public final class StateFolder: Sendable {
    /// States that are kept.
    public static let mostStates = 16

    /// Its path.
    public let path: String
    private let lock: Int32

    private var current: String { path + "/rules.yaml" }
    private var previous: String { path + "/rules.previous.yaml" }
    private var history: String { path + "/history" }

    /// Where `auto` is: `/var/lib/fairlead` for root, else `$XDG_STATE_HOME/fairlead` or `~/.local/state/fairlead`.
    public static func defaultPath(
        environment: [String: String] = ProcessInfo.processInfo.environment, isRoot: Bool? = nil
    ) -> String {
        if isRoot ?? (FileSystem.user == 0) { return "/var/lib/fairlead" }
        if let state = environment["XDG_STATE_HOME"], !state.isEmpty { return state + "/fairlead" }
        return (environment["HOME"] ?? "/tmp") + "/.local/state/fairlead"
    }

    /// Make the folder if it is not there, and take it: another daemon is refused as long as this value lives.
    public init(_ path: String) throws(ControlError) {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path + "/history", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ControlError("the state folder \(path) cannot be made; use another --state DIR")
        }
        lock = unsafe open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw ControlError("the state folder \(path) cannot be written; use another --state DIR")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw ControlError("the state folder \(path) is in use by another Fairlead; use another --state DIR")
        }
    }

    deinit { close(lock) }

    // MARK: The rules in force

    /// The rules that were saved last; when their file is not to be used, those before. Nil when there are none yet.
    /// - Returns: also what is wrong with the files that were not used.
    /// - Throws: when there are files and none is to be used.
    func load() throws(ControlError) -> (file: StateFile?, remarks: [String]) {
        var remarks: [String] = []
        for path in [current, previous] {
            guard let data = FileManager.default.contents(atPath: path) else { continue }
            do throws(ControlError) {
                let file = try StateFile(data)
                _ = try file.ruleState()
                return (file, remarks)
            } catch {
                remarks.append("\(path) is not used: \(error)")
            }
        }
        guard remarks.isEmpty else {
            throw ControlError(
                remarks.joined(separator: "; ") + "; remove what is damaged, or give the rules with --config FILE")
        }
        return (nil, [])
    }

    /// Save the rules in force.
    func save(_ file: StateFile) throws(ControlError) {
        try write(file, to: current) {
            // The old file keeps its name until the new one takes it.
            FileSystem.remove(previous)
            _ = unsafe link(current, previous)
        }
    }

    // MARK: History

    private func historyPath(_ serial: Int) -> String {
        let digits = "\(serial)"
        return history + "/" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".yaml"
    }

    /// Keep a state, and forget those beyond the last 16.
    func keep(_ file: StateFile) throws(ControlError) {
        try write(file, to: historyPath(file.head.serial)) {}
        let names = historyNames
        for name in names.dropLast(Self.mostStates) { FileSystem.remove(history + "/" + name) }
    }

    /// What states are kept, newest first; files that are not to be used are left out.
    var heads: [StateHead] { historyNames.reversed().compactMap { file(named: $0)?.head } }

    /// A kept state; nil when it is not there or not to be used.
    func state(serial: Int) -> StateFile? {
        FileManager.default.contents(atPath: historyPath(serial)).flatMap { try? StateFile($0) }
    }

    private func file(named name: String) -> StateFile? {
        FileManager.default.contents(atPath: history + "/" + name).flatMap { try? StateFile($0) }
    }

    private var historyNames: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: history)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }

    // MARK: Writing

    private func write(_ file: StateFile, to path: String, beforeRename: () -> Void) throws(ControlError) {
        let draft = path + ".new"
        let descriptor = unsafe open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create", draft) }
        let isWritten = Self.write(Array(file.text.utf8), to: descriptor) && fsync(descriptor) == 0
        guard close(descriptor) == 0, isWritten else {
            let error = failure("write", draft)
            FileSystem.remove(draft)
            throw error
        }
        beforeRename()
        guard FileSystem.move(draft, to: path) else { throw failure("rename", draft) }
        synchronizeFolder(of: path)
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done)
            }
            if count > 0 {
                done += count
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// The new name is on the disk only when the folder is.
    private func synchronizeFolder(of path: String) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        close(descriptor)
    }

    private func failure(_ call: String, _ path: String) -> ControlError {
        let reason = unsafe String(cString: strerror(errno))
        return ControlError("the rules are not saved: \(call) \(path): \(reason)")
    }
}
