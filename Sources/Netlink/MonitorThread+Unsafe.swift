import Glibc
import SystemPackage

/// A thread that runs one closure, in the network namespace of the thread that starts it.
@safe
struct MonitorThread: @unchecked Sendable {
    private let thread: pthread_t

    /// What a thread is started with.
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Start it.
    init(_ name: String, _ run: @escaping @Sendable () -> Void) throws(NetlinkError) {
        var thread = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(run))
        let error = unsafe pthread_create(
            &thread, nil,
            { body in
                if let body = unsafe body { unsafe Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
                return nil
            }, unsafe body.toOpaque())
        guard error == 0 else {
            unsafe body.release()
            throw .call("start a thread for", object: name, Errno(rawValue: error), detail: nil)
        }
        self.thread = thread
    }

    /// Whether the caller runs on it.
    var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    /// Wait until it has ended.
    func join() { _ = pthread_join(thread, nil) }
}
