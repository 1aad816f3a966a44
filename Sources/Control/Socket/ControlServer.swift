import Dispatch
import FlyingFox
import FlyingSocks
public import Foundation

/// Serves the control socket: HTTP over a Unix-domain socket that only its owner may open (mode 0600).
///
/// A client that sends nothing for a while is dropped, a body that is too large refused; neither holds up others.
public struct ControlServer: Sendable {
    /// Answers one request's body with one reply's body; called from any thread, many at a time.
    public typealias Handler = @Sendable (Data) async -> Data

    /// The largest body that is taken, in bytes.
    public static let largestBody = 32 << 20

    private let path: String
    private let handlers: [String: Handler]
    private let idleLimit: Duration

    /// `handlers` by route, e.g. `/ipvsadm`. `idleLimit`: how long a client may keep us waiting for its next byte.
    public init(path: String, handlers: [String: Handler], idleLimit: Duration = .seconds(20)) {
        self.path = path
        self.handlers = handlers
        self.idleLimit = idleLimit
    }

    /// Serve until the task is cancelled; the socket is gone afterwards. `ready` is called once clients can connect.
    public func run(ready: @escaping @Sendable () -> Void = {}) async throws(ControlError) {
        let draft = "\(path).\(getpid())"
        guard draft.utf8.count <= UnixSocket.longestPath else {
            throw ControlError("the path of the control socket is too long: \(path); use a shorter --control PATH")
        }
        try checkUnused()
        FileSystem.remove(draft)
        let server = HTTPServer(
            config: HTTPServer.Configuration(
                address: .unix(path: draft), timeout: 120,
                pool: IdleLimitedPool(HTTPServer.defaultPool(), limit: idleLimit), logger: .disabled))
        for (route, handler) in handlers {
            await server.appendRoute(HTTPRoute(route)) { request in try await Self.answer(request, handler) }
        }
        let published = PublishedSocket(draft: draft, path: path)
        defer { published.remove() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                group.addTask {
                    try await server.waitUntilListening()
                    try published.publish()
                    ready()
                }
                try await group.waitForAll()
            }
        } catch let error as ControlError {
            throw error
        } catch {
            guard !Task.isCancelled else { return }
            throw ControlError("the control socket \(path) cannot be served: \(error.localizedDescription)")
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

    private static func answer(_ request: HTTPRequest, _ handler: Handler) async throws -> HTTPResponse {
        guard let count = request.bodySequence.count else {
            return HTTPResponse(statusCode: .lengthRequired, headers: [.connection: "close"])
        }
        guard count <= largestBody else {
            return HTTPResponse(statusCode: .payloadTooLarge, headers: [.connection: "close"])
        }
        let body = await handler(try await request.bodyData)
        return HTTPResponse(statusCode: .ok, headers: [.contentType: "application/json"], body: body)
    }
}

/// The socket's file: bound under another name, then closed to others, then moved to its place in one step.
private struct PublishedSocket: Sendable {
    let draft: String
    let path: String

    func publish() throws(ControlError) {
        guard FileSystem.setPermissions(draft, 0o600), FileSystem.move(draft, to: path) else {
            throw ControlError("the control socket \(path) cannot be made; use another --control PATH")
        }
    }

    func remove() {
        FileSystem.remove(draft)
        guard FileStatus(path)?.isSocket == true else { return }
        FileSystem.remove(path)
    }
}

/// A pool that gives up on clients that neither send nor read for too long.
private struct IdleLimitedPool: AsyncSocketPool {
    private let pool: any AsyncSocketPool
    private let limit: Duration

    init(_ pool: any AsyncSocketPool, limit: Duration) {
        self.pool = pool
        self.limit = limit
    }

    func prepare() async throws { try await pool.prepare() }

    func run() async throws { try await pool.run() }

    func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
        guard !UnixSocket.isListening(socket.file.rawValue) else {
            return try await pool.suspendSocket(socket, untilReadyFor: events)
        }
        try await withThrowingTaskGroup(of: Void.self) { [pool, limit] group in
            defer { group.cancelAll() }
            group.addTask { try await pool.suspendSocket(socket, untilReadyFor: events) }
            group.addTask {
                try await Task.sleep(for: limit)
                throw SocketError.disconnected
            }
            try await group.next()
        }
    }
}
