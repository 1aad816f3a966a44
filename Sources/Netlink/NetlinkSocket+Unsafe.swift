import CLinuxNet
import CMnl
import Glibc
import SystemPackage

/// A netlink socket of libmnl, in the network namespace of the thread that opened it.
///
/// One thread at a time. Every call is bounded: the kernel answers requests at once, so waiting longer than
/// `patience` is an error.
@safe
final class NetlinkSocket {
    /// Milliseconds to wait for an answer.
    static let patience: Int32 = 10_000

    /// The descriptor, for `poll`.
    let descriptor: Int32
    private let socket: OpaquePointer
    private let buffer: UnsafeMutableRawPointer
    private static let bufferSize = 1 << 18
    private var sequence: UInt32 = 0

    /// Open and bind a socket.
    ///
    /// - Parameters:
    ///   - bus: `NETLINK_ROUTE` or `NETLINK_NETFILTER`.
    ///   - groups: Bits of the multicast groups to join.
    ///   - name: For messages.
    init(bus: Int32, groups: Int32 = 0, name: String) throws(NetlinkError) {
        guard let socket = unsafe mnl_socket_open2(bus, Int32(SOCK_CLOEXEC.rawValue)) else {
            throw .lastCall("open a netlink socket for", name)
        }
        guard unsafe mnl_socket_bind(socket, UInt32(bitPattern: groups), MNL_SOCKET_AUTOPID) == 0 else {
            let error = NetlinkError.lastCall("bind a netlink socket for", name)
            _ = unsafe mnl_socket_close(socket)
            throw error
        }
        unsafe self.socket = unsafe socket
        descriptor = unsafe mnl_socket_get_fd(socket)
        unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 8)
        setOption(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        setOption(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    }

    deinit {
        _ = unsafe mnl_socket_close(socket)
        unsafe buffer.deallocate()
    }

    /// Set a socket option as far as the kernel knows and allows it. Returns whether it did.
    @discardableResult
    func setOption(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        unsafe withUnsafePointer(to: value) {
            unsafe setsockopt(descriptor, level, option, $0, socklen_t(MemoryLayout<Int32>.size)) == 0
        }
    }

    /// Ask for socket buffers of `bytes`: beyond the system's limit where we may, else up to it.
    func enlargeBuffers(_ bytes: Int) {
        let bytes = Int32(clamping: bytes)
        if !setOption(SOL_SOCKET, SO_RCVBUFFORCE, bytes) { setOption(SOL_SOCKET, SO_RCVBUF, bytes) }
        if !setOption(SOL_SOCKET, SO_SNDBUFFORCE, bytes) { setOption(SOL_SOCKET, SO_SNDBUF, bytes) }
    }

    /// A writer whose sequence numbers follow those used before.
    func writer() -> MessageWriter { MessageWriter(sequence: sequence) }

    /// Send all that was written, at once.
    func send(_ writer: MessageWriter, call: String, object: String) throws(NetlinkError) {
        sequence = writer.sequence
        let bytes = unsafe writer.bytes
        while true {
            if unsafe mnl_socket_sendto(socket, bytes.baseAddress, bytes.count) >= 0 { return }
            let error = errno
            guard error == EINTR else { throw .call(call, object: object, Errno(rawValue: error), detail: nil) }
        }
    }

    /// Receive one datagram and hand over each message of it.
    ///
    /// - Parameters:
    ///   - timeout: Milliseconds to wait; 0: not at all.
    ///   - body: Gets each message.
    /// - Returns: `false` when nothing came in time.
    /// - Throws: `NetlinkError.call` of `errno` ENOBUFS when the kernel had to throw messages away.
    func receive(
        timeout: Int32, call: String, object: String, _ body: (NetlinkMessage) -> Void
    ) throws(NetlinkError) -> Bool {
        guard try waitReadable(descriptor, milliseconds: timeout) else { return false }
        let length = unsafe mnl_socket_recvfrom(socket, buffer, Self.bufferSize)
        guard length >= 0 else {
            let error = errno
            if error == EINTR || error == EAGAIN { return false }
            throw .call(call, object: object, Errno(rawValue: error), detail: nil)
        }
        var left = Int32(length)
        var next = unsafe UnsafePointer(buffer.assumingMemoryBound(to: nlmsghdr.self))
        while unsafe mnl_nlmsg_ok(next, left) {
            unsafe body(NetlinkMessage(next))
            unsafe next = UnsafePointer(mnl_nlmsg_next(next, &left).unsafelyUnwrapped)
        }
        return true
    }

    /// Send requests and wait for the kernel's acknowledgement of one of them, which must carry `NLM_F_ACK`.
    ///
    /// - Parameter last: The sequence number of that one; the last one's unless given.
    /// - Throws: The first error among the answers.
    func request(
        _ writer: MessageWriter, last: UInt32? = nil, call: String, object: String
    ) throws(NetlinkError) {
        let first = sequence
        let last = last ?? writer.sequence
        try send(writer, call: call, object: object)
        var result: Result<Void, NetlinkError>?
        while result == nil {
            let came = try receive(timeout: Self.patience, call: call, object: object) { message in
                guard message.sequence > first, let number = message.errorNumber else { return }
                if case .failure = result { return }
                if number != 0 {
                    result = .failure(
                        .call(call, object: object, Errno(rawValue: number), detail: message.errorText))
                } else if message.sequence == last {
                    result = .success(())
                }
            }
            guard came else { throw .timeout("\(call) \(object)") }
        }
        if case .failure(let error) = result {
            // A batch that fails has more answers under way; they must not be taken for the next request's.
            while try receive(timeout: 0, call: call, object: object, { _ in }) {}
            throw error
        }
    }

    /// Ask for a dump and hand over each of its messages.
    ///
    /// - Returns: Whether the dump is of one moment (`NLM_F_DUMP_INTR` was not seen).
    func dump(
        _ writer: MessageWriter, object: String, _ body: (NetlinkMessage) -> Void
    ) throws(NetlinkError) -> Bool {
        try send(writer, call: "dump", object: object)
        var isConsistent = true
        var end: Int32?
        var detail: String?
        while end == nil {
            let came = try receive(timeout: Self.patience, call: "dump", object: object) { message in
                guard message.sequence == writer.sequence else { return }
                if message.flags & NLM_F_DUMP_INTR != 0 { isConsistent = false }
                if let number = message.errorNumber {
                    end = number
                    detail = message.errorText
                } else {
                    body(message)
                }
            }
            guard came else { throw .timeout("dump \(object)") }
        }
        if let end, end != 0 { throw .call("dump", object: object, Errno(rawValue: end), detail: detail) }
        return isConsistent
    }
}

extension NetlinkError {
    /// The call that just failed, from `errno`.
    static func lastCall(_ call: String, _ object: String) -> NetlinkError {
        .call(call, object: object, Errno(rawValue: Glibc.errno), detail: nil)
    }
}

/// Wait until a descriptor is readable or has an error, `milliseconds` at most. Returns whether it is.
func waitReadable(_ descriptor: Int32, milliseconds: Int32) throws(NetlinkError) -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let ready = unsafe poll(&wait, 1, milliseconds)
    if ready < 0, errno != EINTR { throw .lastCall("poll", "a netlink socket") }
    return ready > 0
}

/// Wait until one of two descriptors is readable, `milliseconds` at most. Returns whether the second one is.
func waitForEither(_ first: Int32, _ second: Int32, milliseconds: Int32) throws(NetlinkError) -> Bool {
    var waits = (
        pollfd(fd: first, events: Int16(POLLIN), revents: 0), pollfd(fd: second, events: Int16(POLLIN), revents: 0)
    )
    let ready = unsafe withUnsafeMutablePointer(to: &waits) {
        unsafe $0.withMemoryRebound(to: pollfd.self, capacity: 2) { unsafe poll($0, 2, milliseconds) }
    }
    if ready < 0, errno != EINTR { throw .lastCall("poll", "a netlink socket") }
    return ready > 0 && waits.1.revents != 0
}
