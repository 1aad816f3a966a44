import Foundation
import Glibc

/// A blocking Unix-domain stream socket, and what of the file system belongs to one.
///
/// A call that the system refuses throws the `errno` it left. One thread at a time.
struct UnixSocket: ~Copyable {
    /// The `errno` of a call.
    struct SystemError: Error, Hashable {
        var number: Int32
        var text: String { unsafe String(cString: strerror(number)) }
    }

    /// The longest path that both FlyingFox and `sockaddr_un` (unix(7)) take, in bytes.
    static let longestPath = 103

    private let descriptor: Int32

    /// Connect to the socket at `path`; `timeout` in seconds bounds every later read and write.
    init(connectedTo path: String, timeout: Int) throws(SystemError) {
        descriptor = try Self.connected(to: path, timeout: timeout)
    }

    private static func connected(to path: String, timeout: Int) throws(SystemError) -> Int32 {
        guard path.utf8.count <= longestPath else { throw SystemError(number: ENAMETOOLONG) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError(number: errno) }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard status == 0 else {
            let error = SystemError(number: errno)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    deinit { close(descriptor) }

    /// Write everything; false when the other side has closed (it may have answered before).
    func write(_ data: Data) throws(SystemError) -> Bool {
        var rest = data[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EPIPE || errno == ECONNRESET {
                return false
            } else if errno != EINTR {
                throw SystemError(number: errno)
            }
        }
        return true
    }

    /// Read until the other side closes.
    func readToEnd() throws(SystemError) -> Data {
        var data = Data()
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
            }
            if count > 0 {
                data.append(contentsOf: buffer[..<count])
            } else if count == 0 || errno == ECONNRESET {
                return data
            } else if errno != EINTR {
                throw SystemError(number: errno)
            }
        }
    }

    /// Whether a socket descriptor is one that accepts connections.
    static func isListening(_ descriptor: Int32) -> Bool {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0
    }
}

/// What a path is, as far as a control socket is concerned.
struct FileStatus {
    /// Whether it is a socket.
    let isSocket: Bool
    /// Whether it is a folder.
    let isFolder: Bool
    /// The inode's number.
    let inode: UInt64
    /// The owner.
    let owner: UInt32
    /// The permission bits.
    let permissions: UInt32

    /// Nil when there is nothing; symbolic links are followed when asked to.
    init?(_ path: String, followLinks: Bool = false) {
        var status = stat()
        guard unsafe (followLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        inode = UInt64(status.st_ino)
        owner = status.st_uid
        permissions = status.st_mode & 0o7777
    }
}

/// The few calls on paths that a control socket needs.
enum FileSystem {
    /// Make a folder; true when it is there afterwards.
    static func makeFolder(_ path: String, permissions: UInt32) -> Bool {
        unsafe mkdir(path, permissions) == 0 || errno == EEXIST
    }

    /// Whether this process may put files into a folder.
    static func isWritable(_ path: String) -> Bool { unsafe access(path, W_OK | X_OK) == 0 }

    static func setPermissions(_ path: String, _ permissions: UInt32) -> Bool { unsafe chmod(path, permissions) == 0 }

    static func move(_ from: String, to: String) -> Bool { unsafe rename(from, to) == 0 }

    static func remove(_ path: String) { _ = unsafe unlink(path) }

    /// The user this process acts as.
    static var user: UInt32 { geteuid() }
}
