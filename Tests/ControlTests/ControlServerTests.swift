import Foundation
import Glibc
import Testing

@testable import Control

/// The control socket, over temporary paths.
@Suite(.timeLimit(.minutes(2))) struct ControlServerTests {
    /// A folder of its own, removed at the end.
    final class Folder: Sendable {
        let path: String
        init() throws {
            path = "/tmp/fairlead-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    /// Behind Foundation's lock, which the thread sanitizer knows: where `Mutex` is contended the kernel hands it over
    /// (FUTEX_LOCK_PI), which the sanitizer does not see.
    private final class Table: @unchecked Sendable {
        private let lock = NSLock()
        private let table = KernelRuleTable()
        var handler: ControlServer.Handler {
            ControlServer.commandHandler(CommandExecutor(resolver: FixedResolver.wellKnown)) { body in
                self.lock.withLock { body(self.table) }
            }
        }
    }

    /// Run a server while `body` runs.
    private func serving(
        _ path: String, idleLimit: Duration = .seconds(20), _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let table = Table()
        let server = ControlServer(
            path: path, handlers: [CommandRequest.route: table.handler, "/echo": { $0 }], idleLimit: idleLimit)
        let (isReady, ready) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run { ready.yield() } }
            group.addTask {
                for await _ in isReady { break }
                try await body()
            }
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(FileStatus(path) == nil)
    }

    /// Run something that blocks on a thread of its own: the tests' task threads are few, and the server needs them.
    private func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }

    private func run(_ path: String, _ arguments: [String], input: String = "") async throws -> CommandResult {
        try await blocking {
            let client = CommandClient(place: ControlSocketPath(chosen: path, folders: []))
            return client.run(arguments) { Data(input.utf8) }
        }
    }

    @Test func commandsTravelAndTheSocketIsTheOwnersAlone() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            #expect(FileStatus(path)?.permissions == 0o600)
            let answer1 = try await run(path, ["-A", "-t", "192.0.2.1:80", "-s", "rr"])
            #expect(answer1 == CommandResult())
            let answer2 = try await run(path, ["-A", "-t", "192.0.2.1:80"])
            #expect(answer2.standardError == "Service already exists\n")
            let restored = try await run(path, ["-R"], input: "-a -t 192.0.2.1:80 -r 10.0.0.1 -m\n-Sn\n")
            #expect(restored.standardOutput.hasSuffix("-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n"))
        }
    }

    @Test func aLiveSocketIsRefusedAStaleOneReplaced() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            let second = ControlServer(path: path, handlers: [:])
            let error = await #expect(throws: ControlError.self) { try await second.run() }
            #expect(error?.description.contains("in use by another Fairlead") == true)
            let answer3 = try await run(path, ["-Ln"])
            #expect(answer3.status == 0)
        }
        leaveStaleSocket(path)
        #expect(FileStatus(path)?.isSocket == true)
        let orphaned = try await run(path, ["-Ln"])
        #expect(orphaned.status == 2 && orphaned.standardError.contains("no Fairlead runs"))
        try await serving(path) {
            let answer4 = try await run(path, ["-Ln"])
            #expect(answer4.status == 0)
        }
    }

    @Test func anotherFileIsNotReplaced() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try Data("mine".utf8).write(to: URL(filePath: path))
        await #expect(throws: ControlError.self) { try await ControlServer(path: path, handlers: [:]).run() }
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("mine".utf8))
    }

    @Test func withoutADaemonOneLineSaysSo() async throws {
        let folder = try Folder()
        let result = try await run(folder.path + "/none", ["-Ln"])
        #expect(result.status != 0 && result.standardOutput.isEmpty)
        #expect(result.standardError.split(separator: "\n").count == 1)
        let answer5 = try await run(folder.path + "/none", ["--version"])
        #expect(answer5.status == 0)
    }

    @Test func aPathThatIsTooLongIsRefused() async throws {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        await #expect(throws: ControlError.self) { try await ControlServer(path: path, handlers: [:]).run() }
        let answer6 = try await run(path, ["-Ln"])
        #expect(answer6.status == 2)
    }

    @Test func aHundredClientsAtOnceAreAnswered() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for port in 1...100 {
                    group.addTask { try await run(path, ["-A", "-t", "192.0.2.1:\(port)"]) }
                }
                for try await result in group { #expect(result == CommandResult()) }
            }
            let listing = try await run(path, ["-Ln"]).standardOutput
            #expect(listing.split(separator: "\n").count == 103)
        }
    }

    @Test func badClientsHoldNobodyUp() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path, idleLimit: .milliseconds(300)) {
            let answers = try await blocking {
                let silent = try UnixSocket(connectedTo: path, timeout: 60)
                let half = try UnixSocket(connectedTo: path, timeout: 60)
                _ = try half.write(Data("POST /ipvsadm HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"arg".utf8))
                let nonsense = try UnixSocket(connectedTo: path, timeout: 60)
                _ = try nonsense.write(Data("\u{1}\u{2}\r\n\r\n".utf8))
                let client = CommandClient(place: ControlSocketPath(chosen: path, folders: []))
                let status = client.run(["-Ln"]) { Data() }.status
                // Each is closed without an answer once it has been idle.
                return [Data([status]), try silent.readToEnd(), try half.readToEnd(), try nonsense.readToEnd()]
            }
            let refusal = Data("HTTP/1.1 400 Bad Request".utf8)
            #expect(answers[0] == Data([0]) && answers[1].isEmpty && answers[2].isEmpty)
            #expect(answers[3].starts(with: refusal))
        }
    }

    @Test func whatIsTooLargeIsRefused() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            let endless = try await blocking {
                let socket = try UnixSocket(connectedTo: path, timeout: 60)
                while try socket.write(Data(repeating: UInt8(ascii: "x"), count: 1 << 16)) {}
                return String(decoding: try socket.readToEnd(), as: UTF8.self)
            }
            #expect(endless.hasPrefix("HTTP/1.1 431"))
            let (reply, rest) = try await blocking {
                let socket = try UnixSocket(connectedTo: path, timeout: 60)
                var rest = 100 << 20
                _ = try socket.write(Data("POST /ipvsadm HTTP/1.1\r\nContent-Length: \(rest)\r\n\r\n".utf8))
                while rest > 0, try socket.write(Data(count: 1 << 20)) { rest -= 1 << 20 }
                return (String(decoding: try socket.readToEnd(), as: UTF8.self), rest)
            }
            #expect(reply.hasPrefix("HTTP/1.1 413"))
            #expect(rest > 0)
            let status = try await run(path, ["-Ln"]).status
            #expect(status == 0)
            #expect(throws: ControlError.self) {
                try ControlClient(path: path).send(Data(count: ControlServer.largestBody + 1), to: CommandRequest.route)
            }
        }
    }

    @Test func largeRequestsShareABoundedRoomThatSmallOnesDoNotNeed() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            let refusals = try await blocking {
                // Five of 31 MB, each short of its last byte: there is room for four.
                let length = 31 << 20
                let sockets = try (0..<5).map { _ in try Held(path) }
                for held in sockets { try held.write("POST /echo HTTP/1.1\r\nContent-Length: \(length)\r\n\r\n") }
                let isRefused = try sockets.map { held in try !held.write(zeros: length - 1) }
                let client = CommandClient(place: ControlSocketPath(chosen: path, folders: []))
                #expect(client.run(["-Ln"]) { Data() }.status == 0)
                let reply = try sockets[4].readToEnd()
                #expect(String(decoding: reply, as: UTF8.self).hasPrefix("HTTP/1.1 503"))
                // The first one ends; what it held is free again.
                #expect(try sockets[0].write(zeros: 1))
                #expect(try sockets[0].readToEnd().count > length)
                return isRefused
            }
            #expect(refusals == [false, false, false, false, true])
            let body = Data(count: 31 << 20)
            let echoed = try await blocking { try ControlClient(path: path).send(body, to: "/echo") }
            #expect(echoed == body)
        }
    }

    /// A connection that can be kept in an array.
    private final class Held {
        private let socket: UnixSocket
        init(_ path: String) throws { socket = try UnixSocket(connectedTo: path, timeout: 60) }
        @discardableResult
        func write(_ text: String) throws -> Bool { try socket.write(Data(text.utf8)) }
        func write(zeros count: Int) throws -> Bool { try socket.write(Data(count: count)) }
        func readToEnd() throws -> Data { try socket.readToEnd() }
    }

    @Test func otherRoutesAreServedAndUnknownOnesRefused() async throws {
        let folder = try Folder()
        let path = folder.path + "/control"
        try await serving(path) {
            let client = ControlClient(path: path)
            let body = Data((0..<200_000).map { UInt8(truncatingIfNeeded: $0) })
            let echoed = try await blocking { try client.send(body, to: "/echo") }
            #expect(echoed == body)
            await #expect(throws: ControlError.self) {
                try await blocking { try client.send(Data(), to: "/nosuch") }
            }
        }
    }

    @Test func bothSidesLookInTheSameOrder() throws {
        let folder = try Folder()
        let first = folder.path + "/missing/deeper"
        let second = folder.path + "/second"
        let place = ControlSocketPath(chosen: nil, folders: [first, second])
        #expect(place.forClient() == place.candidates[0])
        let path = try place.forServer()
        #expect(path == place.candidates[1])
        #expect(FileStatus(second)?.permissions == 0o700)
        let inode = FileStatus("/proc/self/ns/net", followLinks: true)?.inode ?? 0
        #expect(place.candidates[1] == "\(second)/\(inode).sock")
        leaveStaleSocket(place.candidates[1])
        #expect(place.forClient() == place.candidates[1])
        #expect(chmod(second, 0o777) == 0)
        #expect(throws: ControlError.self) { try place.forServer() }
    }

    @Test func theOptionBeatsTheEnvironment() {
        let environment = [ControlSocketPath.variable: "/a", "XDG_RUNTIME_DIR": "/x"]
        #expect(ControlSocketPath(option: "/b", environment: environment).candidates == ["/b"])
        #expect(ControlSocketPath(environment: environment).candidates == ["/a"])
        let places = ControlSocketPath(environment: ["XDG_RUNTIME_DIR": "/x"]).candidates
        #expect(places.count == 3 && places[0].hasPrefix("/run/fairlead/") && places[1].hasPrefix("/x/fairlead/"))
    }

    /// A socket file that nobody listens on, as a daemon leaves it that was killed.
    private func leaveStaleSocket(_ path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let status = withUnsafeBytes(of: &address) {
            bind(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        #expect(status == 0)
        close(descriptor)
    }
}
