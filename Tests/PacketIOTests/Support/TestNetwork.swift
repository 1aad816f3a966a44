import Foundation
import Glibc
import Synchronization

/// setns(2), which glibc shows only with _GNU_SOURCE.
@_silgen_name("setns") private func setns(_ descriptor: Int32, _ kind: Int32) -> Int32

/// Network namespaces of a test's own, with names that no other process uses; gone when the value is.
final class TestNetwork: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Whether this process may make network namespaces: root, and `ip netns` works.
    static let isPermitted: Bool = {
        guard geteuid() == 0, let network = try? TestNetwork(["probe"]) else { return false }
        return (try? network.run("probe", "ip -brief link")) != nil
    }()

    private static let made = Atomic<Int>(0)
    private let prefix: String
    private let names: [String]

    /// Make a namespace for each of `names`, its loopback interface up.
    init(_ names: [String]) throws {
        let number = Self.made.wrappingAdd(1, ordering: .relaxed).newValue
        prefix = "fairlead-io-\(getpid())-\(number)-"
        self.names = names
        for name in names {
            try Self.shell("ip netns add \(prefix)\(name)")
            try run(name, "ip link set lo up")
        }
    }

    deinit {
        for name in names { _ = try? Self.shell("ip netns del \(prefix)\(name)") }
    }

    /// Join `left` and `right`, each written namespace:interface, by a veth pair that is up.
    func join(_ left: String, _ right: String) throws {
        let ends = [left, right].map { $0.split(separator: ":").map(String.init) }
        try Self.shell(
            "ip link add \(ends[0][1]) netns \(prefix)\(ends[0][0]) type veth peer name \(ends[1][1]) "
                + "netns \(prefix)\(ends[1][0])")
        for end in ends { try run(end[0], "ip link set \(end[1]) up") }
        // The end that was up first is put to use by a kernel thread, somewhat later: what is sent before is lost.
        for end in ends {
            try run(end[0], "until grep -q up /sys/class/net/\(end[1])/operstate; do sleep 0.01; done", seconds: 10)
        }
    }

    /// Run a shell command in namespace `name`; fails when it does, or when it takes too long.
    /// - Returns: what it printed.
    @discardableResult
    func run(_ name: String, _ command: String, seconds: Int = 30) throws -> String {
        try Self.shell(inside(name, command), seconds: seconds)
    }

    /// Start a shell command in namespace `name`.
    func start(_ name: String, _ command: String) throws -> Command { try Command(inside(name, command)) }

    /// Call `body` on a thread of its own in namespace `name`: what it opens stays there.
    func enter<Value: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let path = "/run/netns/\(prefix)\(name)"
        return try onThread {
            let descriptor = open(path, O_RDONLY)
            defer { close(descriptor) }
            guard setns(descriptor, 0x4000_0000) == 0 else { throw Failure(description: "cannot enter \(path)") }
            return try body()
        }
    }

    private func inside(_ name: String, _ command: String) -> String {
        "exec ip netns exec \(prefix)\(name) sh -c '\(command)'"
    }

    @discardableResult
    private static func shell(_ command: String, seconds: Int = 30) throws -> String {
        try Command(command).finish(seconds: seconds)
    }
}

/// A shell command that runs; ended when the value goes.
final class Command {
    private let process = Process()
    private let text: String
    private let output: TemporaryFile

    init(_ command: String) throws {
        text = command
        output = try TemporaryFile([])
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: output.path))
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    /// What it has printed so far.
    func printed() throws -> String { String(decoding: try output.bytes(), as: UTF8.self) }

    /// Wait until it ends by itself with status 0.
    /// - Returns: what it printed.
    @discardableResult
    func finish(seconds: Int) throws -> String {
        guard waitUntil(seconds: seconds, { !process.isRunning }) else {
            throw TestNetwork.Failure(description: "\(text): still running after \(seconds) s: \(try printed())")
        }
        guard process.terminationStatus == 0 else {
            throw TestNetwork.Failure(description: "\(text): status \(process.terminationStatus): \(try printed())")
        }
        return try printed()
    }
}

/// Look every 2 ms whether `condition` holds, for at most `seconds`.
func waitUntil(seconds: Int, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = Date(timeIntervalSinceNow: TimeInterval(seconds))
    while true {
        if try condition() { return true }
        guard Date() < end else { return false }
        usleep(2000)
    }
}

/// Call `body` on a thread of its own and wait for it.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let result = ThreadResult<Value>()
    let done = DispatchSemaphore(value: 0)
    Thread {
        result.value.withLock { $0 = Result { try body() } }
        done.signal()
    }.start()
    guard done.wait(timeout: .now() + 60) == .success, let value = result.value.withLock({ $0 }) else {
        throw TestNetwork.Failure(description: "a thread did not end within 60 s")
    }
    return try value.get()
}

private final class ThreadResult<Value: Sendable>: Sendable {
    let value = Mutex<Result<Value, any Error>?>(nil)
}
