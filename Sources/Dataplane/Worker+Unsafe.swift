public import Balancer
import CLinuxNet
import Glibc
public import PacketIO
import Synchronization
public import Wire

/// What a worker is started with.
public struct WorkerConfiguration: Sendable {
    /// Its number, from 0.
    public var number: Int
    /// The processor it is pinned to; nil: none.
    public var processor: Int?
    /// Whether it goes before every ordinary thread (SCHED_FIFO, priority 1).
    public var isRealTime: Bool
    /// Seed of its schedulers' draws.
    public var seed: UInt64
    /// Whether the guard keeps the host from handling what is ours.
    public var isGuarded: Bool
    /// The slot of the port by which connections come that the host itself opens; nil: none.
    public var localClientSlot: Int?
    /// From its parts.
    public init(
        number: Int, processor: Int? = nil, isRealTime: Bool = false, seed: UInt64, isGuarded: Bool,
        localClientSlot: Int? = nil
    ) {
        self.isRealTime = isRealTime
        self.localClientSlot = localClientSlot
        self.number = number
        self.processor = processor
        self.seed = seed
        self.isGuarded = isGuarded
    }
}

/// A pinned thread that moves frames between ports through a director. Busy while frames come; else it looks for more
/// for a moment where that pays (`BusyPolling`), and sleeps in `poll`.
@safe
public final class Worker: @unchecked Sendable {
    /// How frames ended at this worker.
    public let counters = EndCounters()
    private let configuration: WorkerConfiguration
    private let engine: Engine
    private let routing: RoutingPublication
    private let ports: [any Port]
    private let hostPort: (any Port)?
    private let resolver: any NeighborResolver
    private let event: Int32
    /// Whether all threads share one processor: asked before the worker is pinned to one.
    private let hasOneProcessor = CLinuxNet_processors() == 1
    private let hostForwards = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private let requests = Mutex<[Request]>([])
    private let hasRequests = Atomic<Bool>(false)
    private var thread: pthread_t?

    /// Something that only the worker's thread may do.
    enum Request: Sendable {
        case announce([IPAddress])
        case explain(count: Int, @Sendable (ExplainedPacket) -> Void)
    }

    /// A worker over `ports`, whose places are the interfaces' slots.
    /// - Parameter hostPort: gives frames to the host's own stack: a port on its loopback interface.
    public init(
        _ configuration: WorkerConfiguration, engine: Engine, routing: RoutingPublication, ports: [any Port],
        hostPort: (any Port)? = nil, resolver: any NeighborResolver
    ) {
        self.configuration = configuration
        self.engine = engine
        self.routing = routing
        self.ports = ports
        self.hostPort = hostPort
        self.resolver = resolver
        event = CLinuxNet_openEvent()
    }

    deinit { close(event) }

    /// Milliseconds of the monotonic clock, the one that workers and the control side share.
    public static var milliseconds: UInt64 { UInt64(nanoseconds) / 1_000_000 }

    private static var nanoseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    // MARK: From other threads

    /// Start the thread.
    ///
    /// - Throws: `WorkerError` where it may not be a real-time one; then there is none.
    public func start() throws(WorkerError) {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe pthread_create(&thread, nil, { unsafe Worker.enter($0) }, box)
        precondition(status == 0, "pthread_create failed with \(status)")
        self.thread = thread
        guard configuration.isRealTime else { return }
        var priority = sched_param()
        priority.sched_priority = 1
        let error = unsafe pthread_setschedparam(thread, SCHED_FIFO, &priority)
        guard error == 0 else {
            stop()
            throw .notRealTime(errno: error)
        }
    }

    private static func enter(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let box = unsafe box else { return nil }
        let worker = unsafe Unmanaged<Worker>.fromOpaque(box).takeRetainedValue()
        worker.run()
        return nil
    }

    /// Stop the thread and wait for it.
    public func stop() {
        guard let thread else { return }
        isStopping.store(true, ordering: .releasing)
        wake()
        pthread_join(thread, nil)
        self.thread = nil
    }

    /// Wake the thread: something was published.
    public func wake() { CLinuxNet_signalEvent(event) }

    /// Whether the host forwards packets (`net.ipv4.ip_forward`).
    public func setHostForwards(_ forwards: Bool) { hostForwards.store(forwards, ordering: .relaxed) }

    /// Tell the network that these addresses are here.
    public func announce(_ addresses: [IPAddress]) { post(.announce(addresses)) }

    /// Explain the next `count` frames. `receive` is called on the worker's thread.
    public func explain(count: Int, _ receive: @escaping @Sendable (ExplainedPacket) -> Void) {
        post(.explain(count: count, receive))
    }

    private func post(_ request: Request) {
        requests.withLock { $0.append(request) }
        hasRequests.store(true, ordering: .releasing)
        wake()
    }

    // MARK: The thread

    private static var batch: Int { 64 }

    private func run() {
        _ = unsafe CLinuxNet_nameCurrentThread("fl-worker\(configuration.number)")
        if let processor = configuration.processor { _ = CLinuxNet_pinCurrentThread(Int32(processor)) }
        var director = Director(
            engine: engine, worker: configuration.number, routing: routing.view, now: Self.tick,
            seed: configuration.seed, counters: counters)
        for (slot, port) in ports.enumerated() where slot < 64 {
            if !port.capabilities.carriesSuperFrames { director.slotsWithoutSuperFrames |= 1 << UInt64(slot) }
            if !port.capabilities.carriesPartialChecksums { director.slotsWithoutPartialChecksums |= 1 << UInt64(slot) }
        }
        if let slot = configuration.localClientSlot { director.localClientSlot = slot }
        // Without a guard the host has its own copy.
        if configuration.isGuarded, hostPort != nil { director.hostSlot = ports.count }
        let frames = UnsafeMutableBufferPointer<Frame>.allocate(capacity: Self.batch)
        let sorted = UnsafeMutableBufferPointer<Frame>.allocate(capacity: Outbox.defaultCapacity)
        defer {
            unsafe frames.deallocate()
            unsafe sorted.deallocate()
        }
        var waiting = Waiting(ports, event: event, hasOneProcessor: hasOneProcessor)
        var explained: (left: Int, receive: @Sendable (ExplainedPacket) -> Void)?
        director.resume()
        while !isStopping.load(ordering: .acquiring) {
            let isBehind = director.begin(now: Self.tick, routing: routing.view)
            if hasRequests.exchange(false, ordering: .acquiring) { handleRequests(&director, &explained) }
            unsafe send(&director, sorted)
            for (slot, port) in ports.enumerated() where waiting.asked.contains(slot) {
                let count = unsafe port.receive(into: frames)
                guard count > 0 else { continue }
                waiting.asked.gave(slot, count: count)
                waiting.yielding.served()
                for place in 0..<count { unsafe frames[place].interface = slot }
                if explained != nil {
                    unsafe explain(
                        UnsafeMutableBufferPointer(rebasing: frames[..<count]), &director, &explained, sorted)
                    continue
                }
                var next = 0
                while next < count {
                    next = unsafe director.process(UnsafeMutableBufferPointer(rebasing: frames[..<count]), from: next)
                    director.settlePassed(
                        isGuarded: configuration.isGuarded, forwards: hostForwards.load(ordering: .relaxed))
                    unsafe send(&director, sorted)
                }
            }
            resolveNeighbors(&director)
            if waiting.asked.isQuiet, !isBehind, !letOthersRun(&director, &waiting) {
                wait(&director, &waiting)
            } else {
                waiting.asked.all()
            }
        }
        director.rest()
    }

    private static var tick: Tick { Tick(truncatingIfNeeded: milliseconds / Ticks.milliseconds) }

    /// Hand the outbox to the ports, the frames of each in order.
    private func send(_ director: inout Director, _ sorted: UnsafeMutableBufferPointer<Frame>) {
        let count = director.outbox.count
        guard count > 0 else { return }
        let frames = unsafe director.outbox.sending
        let first = unsafe frames[0].interface
        if unsafe frames.allSatisfy({ $0.interface == first }) {
            unsafe port(first).transmit(frames)
        } else {
            for slot in 0...ports.count {
                var used = 0
                for place in 0..<count where unsafe frames[place].interface == slot {
                    unsafe sorted[used] = frames[place]
                    used += 1
                }
                if used > 0 { unsafe port(slot).transmit(UnsafeMutableBufferPointer(rebasing: sorted[..<used])) }
            }
        }
        director.outbox.empty()
    }

    /// The port of a slot; the one behind the interfaces' is the host's.
    private func port(_ slot: Int) -> any Port {
        if slot == ports.count, let hostPort { hostPort } else { ports[slot] }
    }

    /// What the thread waits with: the descriptors of the ports that have one, of which port each is, and its event's.
    private struct Waiting {
        var descriptors: [pollfd] = []
        var slots: [Int] = []
        var asked: AskedPorts
        var busy = BusyPolling()
        var yielding: Yielding

        init(_ ports: [any Port], event: Int32, hasOneProcessor: Bool) {
            asked = AskedPorts(ports)
            yielding = Yielding(isUseful: hasOneProcessor && ports.allSatisfy(\.isFreeToAsk))
            for (slot, port) in ports.enumerated() {
                guard let descriptor = port.descriptor else { continue }
                descriptors.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
                slots.append(slot)
            }
            descriptors.append(pollfd(fd: event, events: Int16(POLLIN), revents: 0))
        }
    }

    /// Let other threads run where that is worthwhile.
    /// - Returns: whether they could, so that frames may have come.
    private func letOthersRun(_ director: inout Director, _ waiting: inout Waiting) -> Bool {
        guard waiting.yielding.isWorthwhile() else { return false }
        director.rest()
        let began = Self.nanoseconds
        sched_yield()
        waiting.yielding.took(Self.nanoseconds - began)
        director.resume()
        return true
    }

    private func wait(_ director: inout Director, _ waiting: inout Waiting) {
        director.rest()
        // Long enough to sleep, short enough that an entry ends on time.
        let milliseconds: Int64 = engine.table.count > 0 || director.neighborQueue.count > 0 ? 32 : 250
        // A worker that is pinned cannot know whether others want its processor.
        let isBusy =
            !hasOneProcessor && configuration.processor == nil && waiting.busy.isWorthwhile(at: Self.nanoseconds)
        let began = Self.nanoseconds
        let count = UInt32(waiting.descriptors.count)
        unsafe waiting.descriptors.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            if isBusy, unsafe CLinuxNet_pollBusily(base, count, BusyPolling.longest) > 0 { return }
            _ = unsafe CLinuxNet_poll(base, count, milliseconds * 1_000_000)
        }
        waiting.busy.waited(Self.nanoseconds - began)
        if waiting.descriptors[waiting.descriptors.count - 1].revents != 0 { CLinuxNet_clearEvent(event) }
        waiting.asked.onlyNamed()
        for (place, slot) in waiting.slots.enumerated() where waiting.descriptors[place].revents != 0 {
            // Of an interface that went down. It stays until somebody takes it, and who looks into a ring does not.
            if waiting.descriptors[place].revents & Int16(POLLERR) != 0 {
                _ = CLinuxNet_takeError(waiting.descriptors[place].fd)
            }
            waiting.asked.name(slot)
        }
        director.resume()
    }

    private func resolveNeighbors(_ director: inout Director) {
        guard director.neighborQueue.count > 0 else { return }
        for want in director.neighborQueue.wanted() {
            resolver.resolve(interface: want.interface, address: want.address)
        }
    }

    private func handleRequests(
        _ director: inout Director, _ explained: inout (left: Int, receive: @Sendable (ExplainedPacket) -> Void)?
    ) {
        let list = requests.withLock { list in
            defer { list = [] }
            return list
        }
        for request in list {
            switch request {
            case .announce(let addresses): director.announce(addresses)
            case .explain(let count, let receive): explained = (count, receive)
            }
        }
    }

    /// As the loop's body, a frame at a time, with the director's notes handed out.
    private func explain(
        _ frames: UnsafeMutableBufferPointer<Frame>, _ director: inout Director,
        _ explained: inout (left: Int, receive: @Sendable (ExplainedPacket) -> Void)?,
        _ sorted: UnsafeMutableBufferPointer<Frame>
    ) {
        for place in 0..<frames.count {
            let before = unsafe frames[place].bytes.prefix(128).array()
            let interface = unsafe frames[place].interface
            director.trace = explained == nil ? nil : DecisionTrace()
            _ = unsafe director.process(UnsafeMutableBufferPointer(rebasing: frames[place..<(place + 1)]))
            director.settlePassed(isGuarded: configuration.isGuarded, forwards: hostForwards.load(ordering: .relaxed))
            if let trace = director.trace, trace.count > 0, let asked = explained {
                let sent: [[UInt8]] = (0..<director.outbox.count).map {
                    unsafe director.outbox.sending[$0].bytes.prefix(128).array()
                }
                asked.receive(ExplainedPacket(trace, interface: interface, received: before, sent: sent))
                explained = asked.left > 1 ? (asked.left - 1, asked.receive) : nil
            }
            director.trace = nil
            unsafe send(&director, sorted)
        }
    }
}
