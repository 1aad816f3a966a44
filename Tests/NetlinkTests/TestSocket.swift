import Glibc

/// A socket in the network namespace of the thread that makes it; closed with its last reference.
final class TestSocket {
    let descriptor: Int32

    /// `kind` is `SOCK_STREAM` or `SOCK_DGRAM`; bound to `address` and `port`.
    init(_ kind: __socket_type, boundTo address: String, _ port: Int) throws {
        let family = address.contains(":") ? AF_INET6 : AF_INET
        descriptor = socket(
            family, Int32(kind.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        guard descriptor >= 0, Self.with(address, port, { bind(descriptor, $0, $1) }) == 0 else {
            throw NamespaceFailure(description: "bind \(address) \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    private static func with(
        _ address: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var storage = sockaddr_storage()
        let isV6 = address.contains(":")
        storage.ss_family = sa_family_t(isV6 ? AF_INET6 : AF_INET)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: UInt16(port).bigEndian, toByteOffset: 2, as: UInt16.self)
            guard let start = bytes.baseAddress else { return -1 }
            inet_pton(isV6 ? AF_INET6 : AF_INET, address, start + (isV6 ? 8 : 4))
            let length = socklen_t(isV6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
            return body(start.assumingMemoryBound(to: sockaddr.self), length)
        }
    }

    /// Take connections; the kernel completes them by itself.
    func listen() { Glibc.listen(descriptor, 64) }

    /// Take one connection, write `text` to it and close it. False when none comes within five seconds.
    func answer(_ text: String) -> Bool {
        guard wait(POLLIN, milliseconds: 5000) else { return false }
        let connection = accept(descriptor, nil, nil)
        let sent = Glibc.send(connection, text, text.utf8.count, 0)
        // What the client says is read first: closing with unread bytes would reset the connection.
        var wait = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
        _ = poll(&wait, 1, 5000)
        var bytes = [UInt8](repeating: 0, count: 4096)
        _ = recv(connection, &bytes, bytes.count, 0)
        close(connection)
        return sent == text.utf8.count
    }

    /// Try to connect: `connected`, `refused`, `silent` after 400 ms, or another error's text.
    func connect(_ address: String, _ port: Int) -> String {
        if Self.with(address, port, { Glibc.connect(descriptor, $0, $1) }) == 0 { return "connected" }
        guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
        guard wait(POLLOUT) else { return "silent" }
        var error: Int32 = 0
        var length = socklen_t(4)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        return error == 0 ? "connected" : error == ECONNREFUSED ? "refused" : String(cString: strerror(error))
    }

    /// Send a datagram of `size` zeros.
    func send(size: Int, to address: String, _ port: Int) throws {
        let bytes = [UInt8](repeating: 0, count: size)
        let sent = Self.with(address, port) { Int32(sendto(descriptor, bytes, size, 0, $0, $1)) }
        guard sent == size else { throw NamespaceFailure(description: "send: \(String(cString: strerror(errno)))") }
    }

    /// The size of the next datagram; nil when none comes within 400 ms.
    func receive() -> Int? {
        guard wait(POLLIN) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 65536)
        return recv(descriptor, &bytes, bytes.count, 0)
    }

    private func wait(_ events: Int32, milliseconds: Int32 = 400) -> Bool {
        var wait = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&wait, 1, milliseconds) > 0
    }
}
