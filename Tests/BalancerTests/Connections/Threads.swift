import Glibc
import Synchronization

/// Threads for tests of what several workers do at once.
enum Threads {
    private final class Start {
        let body: @Sendable (Int) -> Void
        let number: Int
        init(_ body: @escaping @Sendable (Int) -> Void, _ number: Int) {
            self.body = body
            self.number = number
        }
    }

    /// Call `body` with 0, 1, … on `count` threads at once; comes back when all have ended.
    static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        var threads: [pthread_t] = []
        for number in 0..<count {
            var thread = pthread_t()
            let start = Unmanaged.passRetained(Start(body, number))
            let status = pthread_create(
                &thread, nil,
                { argument in
                    guard let argument else { return nil }
                    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                    start.body(start.number)
                    return nil
                }, start.toOpaque())
            precondition(status == 0, "pthread_create: \(status)")
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}

/// Where threads wait for each other, again and again.
final class Barrier: Sendable {
    private let count: Int
    private let arrived = Atomic<Int>(0)
    private let round = Atomic<Int>(0)

    init(_ count: Int) { self.count = count }

    /// Wait until all have come.
    func wait() {
        let current = round.load(ordering: .acquiring)
        if arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == count {
            arrived.store(0, ordering: .relaxed)
            round.store(current + 1, ordering: .releasing)
            return
        }
        while round.load(ordering: .acquiring) == current { sched_yield() }
    }
}
