import Foundation
import Glibc

// What glibc declares only to `_GNU_SOURCE`, which the overlay does not set.
@_silgen_name("unshare") private func unshareSystemCall(_ flags: Int32) -> Int32
@_silgen_name("gettid") private func threadIdentifier() -> pid_t
private let newNetwork: Int32 = 0x4000_0000

/// Whether this process may make network namespaces: as root, or inside `unshare -Urn`.
let mayMakeNamespaces: Bool = {
    let answer = Thread.run { unshareSystemCall(newNetwork) == 0 }
    return answer
}()

/// Why namespace tests are left out.
let namespaceReason = "needs root (or unshare -Urn) to make network namespaces"

private extension Thread {
    /// Run `body` on a thread of its own and wait.
    static func run(_ body: @escaping @Sendable () -> Bool) -> Bool {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var value = false
        Thread {
            value = body()
            done.signal()
        }.start()
        done.wait()
        return value
    }
}

struct NamespaceFailure: Error, CustomStringConvertible {
    let description: String
}

/// A program that was started, in the network namespace of the thread that started it. Its output goes to a pipe.
final class TestProgram {
    let process: pid_t
    private let output: Int32
    private var status: Int32?

    init(_ arguments: [String]) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw NamespaceFailure(description: "pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
        var words = arguments.map { strdup($0) } + [nil]
        var process: pid_t = 0
        let error = posix_spawnp(&process, arguments[0], &actions, nil, &words, environ)
        for word in words { free(word) }
        posix_spawn_file_actions_destroy(&actions)
        Glibc.close(ends[1])
        self.process = process
        output = ends[0]
        guard error == 0 else {
            throw NamespaceFailure(description: "\(arguments[0]): \(String(cString: strerror(error)))")
        }
    }

    deinit { Glibc.close(output) }

    /// What it writes next, one read at a time; empty at its end.
    func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(output, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
    }

    /// Wait for its end. Returns the raw status of `waitpid` and all that it wrote.
    func wait() -> (status: Int32, output: String) {
        var text = ""
        while case let part = read(), !part.isEmpty { text += part }
        if let status { return (status, text) }
        var status: Int32 = 0
        waitpid(process, &status, 0)
        self.status = status
        return (status, text)
    }

    /// Kill it unless it has ended.
    func end() {
        guard status == nil else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        self.status = status
    }
}

/// A network namespace without a name, held by a thread: gone with it, so nothing is left behind. What `perform` runs and
/// every program that `run` starts is inside.
final class TestNamespace: @unchecked Sendable {
    private let jobs = NSCondition()
    private var queue: [() -> Void] = []
    private var isEnded = false
    /// The thread that is inside, for `ip link set … netns`.
    private(set) var thread: pid_t = 0
    private var children: [TestProgram] = []

    init() throws {
        let ready = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var error: Int32 = 0
        let thread = Thread { [self] in
            if unshareSystemCall(newNetwork) != 0 { error = errno }
            self.thread = threadIdentifier()
            ready.signal()
            while let job = next() { job() }
        }
        thread.start()
        ready.wait()
        guard error == 0 else { throw NamespaceFailure(description: "unshare: \(String(cString: strerror(error)))") }
        try run("ip link set lo up")
    }

    private func next() -> (() -> Void)? {
        jobs.lock()
        defer { jobs.unlock() }
        while queue.isEmpty, !isEnded { jobs.wait() }
        return queue.isEmpty ? nil : queue.removeFirst()
    }

    /// End the programs in it and the thread, and with them the namespace.
    func close() {
        for child in children { child.end() }
        jobs.lock()
        isEnded = true
        jobs.signal()
        jobs.unlock()
    }

    /// Run `body` inside.
    func perform<Value>(_ body: @escaping () throws -> Value) throws -> Value {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var result: Result<Value, any Error> = .failure(NamespaceFailure(description: "not run"))
        jobs.lock()
        queue.append {
            result = Result(catching: body)
            done.signal()
        }
        jobs.signal()
        jobs.unlock()
        done.wait()
        return try result.get()
    }

    /// Run a program inside, without waiting. `close` ends it.
    @discardableResult
    func start(_ arguments: [String]) throws -> TestProgram {
        let program = try perform { try TestProgram(arguments) }
        children.append(program)
        return program
    }

    /// Run a program inside and wait for it. Returns what it wrote; throws unless it succeeded.
    @discardableResult
    func run(_ arguments: [String]) throws -> String {
        let (status, text) = try perform { try TestProgram(["timeout", "20"] + arguments) }.wait()
        guard status == 0 else {
            throw NamespaceFailure(description: "\(arguments.joined(separator: " ")): \(status) \(text)")
        }
        return text
    }

    /// Words without quotes, as on a command line.
    @discardableResult
    func run(_ line: String) throws -> String { try run(line.split(separator: " ").map(String.init)) }

    /// A veth pair: `name` here, `peerName` in `peer`, both up with an address each (and no duplicate address detection).
    func connect(_ name: String, _ address: String, to peer: TestNamespace, _ peerName: String, _ peerAddress: String)
        throws
    {
        try run("ip link add \(name) type veth peer name \(peerName) netns \(peer.thread)")
        for (namespace, name, address) in [(self, name, address), (peer, peerName, peerAddress)] {
            try namespace.run("ip addr add \(address) dev \(name) nodad")
            try namespace.run("ip link set \(name) up")
        }
        // The end that was up first is put to use by a kernel thread, somewhat later: what is sent before is lost.
        for (namespace, name) in [(self, name), (peer, peerName)] {
            let isInUse: Void? = try eventually(within: 10) {
                try namespace.run("ip -o link show dev \(name)").contains("state UP") ? () : nil
            }
            guard isInUse != nil else { throw NamespaceFailure(description: "\(name) does not come up") }
        }
    }
}

/// Wait until `condition` gives a value, `seconds` at most; nil when it never did.
func eventually<Value>(within seconds: Double = 5, _ condition: () throws -> Value?) rethrows -> Value? {
    let end = Date(timeIntervalSinceNow: seconds)
    repeat {
        if let value = try condition() { return value }
        usleep(5_000)
    } while Date() < end
    return try condition()
}
