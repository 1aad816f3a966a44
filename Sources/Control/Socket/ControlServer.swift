import Dispatch
public import Foundation
import Glibc
import Synchronization

/// Serves the control socket: HTTP over a Unix-domain socket that only its owner may open (mode 0600).
///
/// A thread a connection, so that a client that sends half a request, or nothing, holds nobody up: it is dropped when
/// it has been silent or slow for too long. Head and body are bounded before they are read, and so is the number of
/// clients; what is over is refused in a word. (A library for HTTP, FlyingFox, was tried: it bounds none of these and reads
/// a body that was refused as the next request.)
public struct ControlServer: Sendable {
    /// Answers one request's body with one reply's body; called from any thread, many at a time.
    public typealias Handler = @Sendable (Data) async -> Data

    /// The largest body that is taken, in bytes.
    public static let largestBody = 32 << 20
    /// The most clients at a time.
    public static let mostClients = 512
    /// What a request may take without asking for room, in bytes.
    static let smallRequest = 1 << 20
    /// The most bytes that the larger requests may hold together; who comes when they are full hears 503.
    static let roomForLargeRequests = 128 << 20

    private let path: String
    private let handlers: [String: Handler]
    private let idleLimit: Duration
    private let room = Room(bytes: roomForLargeRequests)

    /// `handlers` by route, e.g. `/ipvsadm`. `idleLimit`: how long a client may keep us waiting for its next byte; it
    /// has six times as long for a whole request.
    public init(path: String, handlers: [String: Handler], idleLimit: Duration = .seconds(20)) {
        self.path = path
        self.handlers = handlers
        self.idleLimit = idleLimit
    }

    /// Serve until the task is cancelled; the socket is gone afterwards. `ready` is called once clients can connect.
    public func run(ready: @escaping @Sendable () -> Void = {}) async throws(ControlError) {
        try checkUnused()
        let listener = try publish()
        let (stopped, stop) = AsyncStream<Void>.makeStream()
        Thread.detachNewThread {
            accept(from: listener)
            stop.finish()
        }
        ready()
        await withTaskCancellationHandler {
            for await _ in stopped {}
        } onCancel: {
            listener.stop()
        }
        // A cancelled task's stream ends at once; the thread ends by itself when `accept` returns.
        listener.stop()
        FileSystem.remove(path)
    }

    /// The socket is bound under another name and moved to its place in one step, over a dead daemon's if there is one.
    private func publish() throws(ControlError) -> UnixListener {
        let draft = "\(path).\(getpid())"
        FileSystem.remove(draft)
        do throws(UnixSocket.SystemError) {
            let listener = try UnixListener(path: draft)
            guard FileSystem.move(draft, to: path) else {
                throw UnixSocket.SystemError(number: errno)
            }
            return listener
        } catch {
            FileSystem.remove(draft)
            throw ControlError("the control socket \(path) cannot be made: \(error.text); use another --control PATH")
        }
    }

    /// A socket without a daemon behind it may be replaced, a live one and any other file may not.
    private func checkUnused() throws(ControlError) {
        guard let status = FileStatus(path) else { return }
        guard status.isSocket else {
            throw ControlError("\(path) is there already and is no socket; remove it or use another --control PATH")
        }
        do throws(UnixSocket.SystemError) {
            _ = try UnixSocket(connectedTo: path, timeout: 1)
        } catch {
            guard error.number != ECONNREFUSED else { return }
            throw ControlError("the control socket \(path) cannot be used: \(error.text); use another --control PATH")
        }
        throw ControlError(
            "the control socket \(path) is in use by another Fairlead; stop that one or use another --control PATH")
    }

    private func accept(from listener: UnixListener) {
        let clients = ClientCount()
        while let connection = listener.accept() {
            guard clients.enter() else {
                let socket = UnixSocket(adopting: connection, milliseconds: 100)
                _ = try? socket.write(HTTPMessage.reply("503 Service Unavailable"))
                continue
            }
            Thread.detachNewThread {
                serve(UnixSocket(adopting: connection, milliseconds: idleLimit.milliseconds))
                clients.leave()
            }
        }
    }

    /// One connection: a request, its reply. What goes wrong with the connection ends it and nothing else.
    private func serve(_ socket: consuming UnixSocket) {
        var taken = 0
        defer { room.give(taken) }
        do throws(UnixSocket.SystemError) {
            let reply: Data
            switch try request(from: socket, taken: &taken) {
            case .nothing: return
            case .refused(let status): reply = HTTPMessage.reply(status)
            case .complete(let path, let body):
                if let handler = handlers[path] {
                    reply = HTTPMessage.reply("200 OK", body: Self.wait(for: handler, body))
                } else {
                    reply = HTTPMessage.reply("404 Not Found")
                }
            }
            _ = try socket.write(reply)
        } catch {
            // The client was too slow, or is gone: there is nobody to tell.
        }
    }

    private enum Request {
        case nothing
        case refused(String)
        case complete(path: String, body: Data)
    }

    /// Read a request. `taken`: how many bytes of the room for large requests it holds; the caller gives them back.
    private func request(
        from socket: borrowing UnixSocket, taken: inout Int
    ) throws(UnixSocket.SystemError) -> Request {
        let clock = ContinuousClock()
        let deadline = clock.now + idleLimit * 6
        var data = Data()
        var head: HTTPMessage.Head?
        var start = 0
        while true {
            if head == nil, let end = HTTPMessage.bodyStart(in: data) {
                guard let found = HTTPMessage.head(data[..<end]) else { return .refused("400 Bad Request") }
                guard found.contentLength <= Self.largestBody else { return .refused("413 Content Too Large") }
                (head, start) = (found, end)
            }
            if let head, data.count >= start + head.contentLength {
                return .complete(path: head.path, body: Data(data[start..<(start + head.contentLength)]))
            }
            guard head != nil || data.count < HTTPMessage.largestHead else {
                return .refused("431 Request Header Fields Too Large")
            }
            guard clock.now < deadline else { return .refused("408 Request Timeout") }
            let part = try socket.read(atMost: 65536)
            guard !part.isEmpty else { return data.isEmpty ? .nothing : .refused("400 Bad Request") }
            if data.count >= Self.smallRequest {
                guard room.take(part.count) else { return .refused("503 Service Unavailable") }
                taken += part.count
            }
            data += part
        }
    }

    /// Run a handler and wait for it; the caller is a thread of our own, not one of the few that run tasks.
    private static func wait(for handler: @escaping Handler, _ body: Data) -> Data {
        let isDone = DispatchSemaphore(value: 0)
        let box = ReplyBox()
        Task {
            box.put(await handler(body))
            isDone.signal()
        }
        isDone.wait()
        return box.take()
    }
}

/// Carries a reply from the task that made it to the thread that waits for it.
private final class ReplyBox: Sendable {
    private let reply = Mutex(Data())

    func put(_ data: Data) { reply.withLock { $0 = data } }

    func take() -> Data { reply.withLock { $0 } }
}

/// Memory that clients share. Only what they have sent counts, not what they say they will send: one that hangs holds little.
private final class Room: Sendable {
    private let left: Mutex<Int>

    init(bytes: Int) { left = Mutex(bytes) }

    /// Take some of it; false when there is too little.
    func take(_ count: Int) -> Bool {
        left.withLock { left in
            guard left >= count else { return false }
            left -= count
            return true
        }
    }

    func give(_ count: Int) { left.withLock { $0 += count } }
}

/// How many clients there are.
private final class ClientCount: Sendable {
    private let count = Mutex(0)

    /// Count one more; false when there are too many.
    func enter() -> Bool {
        count.withLock { count in
            guard count < ControlServer.mostClients else { return false }
            count += 1
            return true
        }
    }

    func leave() { count.withLock { $0 -= 1 } }
}

extension Duration {
    /// Whole milliseconds, at least one.
    fileprivate var milliseconds: Int {
        let (seconds, attoseconds) = components
        return max(1, Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}
