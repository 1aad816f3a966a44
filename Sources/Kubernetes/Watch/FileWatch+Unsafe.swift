import Foundation
import Glibc

/// Tells when files or folders change (inotify(7)), however they are changed: written, replaced by a rename, or through a
/// link in their folder, as Kubernetes mounts a ConfigMap. One thread at a time.
public final class FileWatch {
    private let descriptor: Int32
    private let paths: [String]
    /// For each watch the names that count; nil: all.
    private var names: [Int32: Set<String>?] = [:]

    private static let changes = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE)

    /// Watch these files and folders; those that are not there yet, too.
    public init(_ paths: [String]) throws(KubernetesError) {
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard descriptor >= 0 else {
            throw KubernetesError("files cannot be watched: \(unsafe String(cString: strerror(errno)))")
        }
        self.paths = paths
        arm()
    }

    deinit { close(descriptor) }

    /// Watch what the paths lead to now. Where one is watched already nothing changes.
    private func arm() {
        names = [:]
        for path in paths {
            watch(path)
            let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            if resolved != path { watch(resolved) }
        }
    }

    private func watch(_ path: String) {
        let url = URL(fileURLWithPath: path)
        let folder = url.deletingLastPathComponent().path
        let number = unsafe inotify_add_watch(descriptor, folder, Self.changes)
        if number >= 0 {
            let known: Set<String>? = names[number] ?? []
            names[number] = known.map { $0.union([url.lastPathComponent]) }
        }
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return
        }
        let inside = unsafe inotify_add_watch(descriptor, path, Self.changes)
        if inside >= 0 { names.updateValue(nil, forKey: inside) }
    }

    /// Wait for a change, so long at most. A change that comes in several steps is one: it ends when nothing has happened
    /// for 50 ms, or after half a second.
    ///
    /// - Returns: Whether something changed.
    public func wait(_ limit: Duration) -> Bool {
        guard isReadable(limit), drain() else { return false }
        let clock = ContinuousClock()
        let deadline = clock.now + .milliseconds(500)
        while clock.now < deadline, isReadable(.milliseconds(50)) { _ = drain() }
        arm()
        return true
    }

    private func isReadable(_ limit: Duration) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let (seconds, attoseconds) = limit.components
        let milliseconds = min(seconds, 1_000_000) * 1000 + attoseconds / 1_000_000_000_000_000
        return unsafe poll(&request, 1, Int32(milliseconds)) > 0
    }

    /// Read what happened; whether any of it concerns us.
    private func drain() -> Bool {
        var isOurs = false
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return isOurs }
            unsafe buffer.withUnsafeBytes { bytes in
                let header = MemoryLayout<inotify_event>.size
                var offset = 0
                while offset + header <= count {
                    let event = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    let start = offset + header
                    let text = unsafe bytes[start..<min(count, start + Int(event.len))].prefix { $0 != 0 }
                    isOurs = unsafe concerns(event, String(decoding: text, as: UTF8.self)) || isOurs
                    offset = start + Int(event.len)
                }
            }
        }
    }

    private func concerns(_ event: inotify_event, _ name: String) -> Bool {
        if event.mask & UInt32(IN_Q_OVERFLOW | IN_IGNORED) != 0 { return true }
        guard let known = names[event.wd] else { return false }
        // Kubernetes swaps the link `..data` when a mounted ConfigMap changes.
        return known.map { $0.contains(name) || name.hasPrefix("..") } ?? true
    }
}
