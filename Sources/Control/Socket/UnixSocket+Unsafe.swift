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

    /// The longest path that `sockaddr_un` takes, in bytes (unix(7)).
    static let longestPath = 107

    private let descriptor: Int32

    /// Connect to the socket at `path`; `timeout` in seconds bounds every later read and write.
    init(connectedTo path: String, timeout: Int) throws(SystemError) {
        descriptor = try Self.connected(to: path, timeout: timeout)
    }

    /// Take over an accepted connection; `milliseconds` bounds every later read and write.
    init(adopting descriptor: Int32, milliseconds: Int) {
        self.descriptor = descriptor
        Self.limit(descriptor, milliseconds: milliseconds)
    }

    private static func connected(to path: String, timeout: Int) throws(SystemError) -> Int32 {
        let descriptor = try make()
        limit(descriptor, milliseconds: timeout * 1000)
        do throws(SystemError) {
            try unsafe withAddress(path) { unsafe connect(descriptor, $0, $1) }
        } catch {
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
        while true {
            let part = try read(atMost: 65536)
            guard !part.isEmpty else { return data }
            data += part
        }
    }

    /// Read at most `count` bytes; empty when the other side has closed.
    func read(atMost count: Int) throws(SystemError) -> Data {
        var buffer = [UInt8](repeating: 0, count: count)
        while true {
            let received = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
            }
            if received >= 0 { return Data(buffer[..<received]) }
            if errno == ECONNRESET { return Data() }
            guard errno == EINTR else { throw SystemError(number: errno) }
        }
    }

    /// Bound every later read and write, in milliseconds.
    private static func limit(_ descriptor: Int32, milliseconds: Int) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    /// Call `body` with a `sockaddr_un` of this path.
    fileprivate static func withAddress(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        guard path.utf8.count <= longestPath else { throw SystemError(number: ENAMETOOLONG) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress else { return Int32(-1) }
            return unsafe body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard status == 0 else { throw SystemError(number: errno) }
    }

    fileprivate static func make() throws(SystemError) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError(number: errno) }
        return descriptor
    }
}

/// A Unix-domain socket that accepts connections; its file has mode 0600 from the first moment. Any thread.
final class UnixListener: Sendable {
    private let descriptor: Int32

    /// Make the file and listen. The file stays when the listener goes.
    init(path: String) throws(UnixSocket.SystemError) {
        descriptor = try UnixSocket.make()
        // The mode of the socket's inode is what bind(2) gives the file.
        fchmod(descriptor, 0o600)
        try unsafe UnixSocket.withAddress(path) { [descriptor] in unsafe bind(descriptor, $0, $1) }
        guard listen(descriptor, SOMAXCONN) == 0 else { throw UnixSocket.SystemError(number: errno) }
    }

    deinit { close(descriptor) }

    /// Wait for a connection; nil once stopped.
    func accept() -> Int32? {
        while true {
            let connection = Glibc.accept(descriptor, nil, nil)
            if connection >= 0 {
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                return connection
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EMFILE, ENFILE, ENOMEM, ENOBUFS:
                // Out of descriptors or memory for the moment; connections go as clients end or idle out.
                usleep(10_000)
            default: return nil
            }
        }
    }

    /// Make `accept` return nil, now and later.
    func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
