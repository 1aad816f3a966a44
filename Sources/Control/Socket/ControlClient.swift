public import Foundation
import Glibc

/// Talks to a daemon's control socket. Blocks; any thread.
public struct ControlClient: Sendable {
    private let path: String
    private let timeout: Int

    /// `timeout` in seconds bounds each wait for the daemon.
    public init(path: String, timeout: Int = 120) {
        self.path = path
        self.timeout = timeout
    }

    /// Send a body to a route and wait for the reply's.
    public func send(_ body: Data, to route: String) throws(ControlError) -> Data {
        guard body.count <= ControlServer.largestBody else {
            throw ControlError("the request is too large: \(body.count) bytes, \(ControlServer.largestBody) at most")
        }
        let reply: Data
        do throws(UnixSocket.SystemError) {
            let socket = try UnixSocket(connectedTo: path, timeout: timeout)
            let head =
                "POST \(route) HTTP/1.1\r\nHost: fairlead\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
            _ = try socket.write(Data(head.utf8) + body)
            reply = try socket.readToEnd()
        } catch {
            throw Self.explain(error, path)
        }
        return try Self.body(of: reply, path)
    }

    private static func explain(_ error: UnixSocket.SystemError, _ path: String) -> ControlError {
        switch error.number {
        case ENOENT, ECONNREFUSED:
            ControlError(
                "no Fairlead runs in this network namespace (nobody listens on \(path)); start one: fairlead run")
        case EACCES, EPERM: ControlError("Permission denied (you must be root, or the user Fairlead runs as): \(path)")
        case EAGAIN: ControlError("Fairlead does not answer on \(path)")
        default: ControlError("Fairlead cannot be reached on \(path): \(error.text)")
        }
    }

    /// The body of an HTTP reply whose end is the connection's.
    private static func body(of reply: Data, _ path: String) throws(ControlError) -> Data {
        guard let gap = reply.range(of: Data("\r\n\r\n".utf8)) else {
            throw ControlError("Fairlead closed the connection on \(path) without an answer")
        }
        let head = String(decoding: reply[..<gap.lowerBound], as: UTF8.self)
        let words = head.prefix { !$0.isNewline }.split(separator: " ", maxSplits: 2)
        guard words.count > 1, words[1] == "200" else {
            let status = words.dropFirst().joined(separator: " ")
            throw ControlError("Fairlead refused the request: \(status.isEmpty ? "no status" : status)")
        }
        return Data(reply[gap.upperBound...])
    }
}
