import Balancer
import Dataplane
import Wire

/// An engine with one director under a virtual clock, and the host around it.
@safe
final class Session {
    let engine: Engine
    let counters = EndCounters()
    private var director: Director
    private(set) var topology: Topology
    private var routing: RoutingSnapshot
    private var forwards: Bool
    private let buffer: UnsafeMutableRawPointer
    private static let bufferSize = Frame.headroom + 262_144
    /// Milliseconds since the start.
    private(set) var milliseconds: UInt64 = 0
    /// Called for each frame that leaves.
    var transmit: (PacketBytes, Int) throws -> Void = { _, _ in }

    /// The seed of hash and generator: the same recording gives the same replay.
    private static let seed: UInt64 = 0x6661_6972_6c65_6164

    init(_ topology: Topology) throws {
        self.topology = topology
        routing = try topology.snapshot()
        engine = Engine(
            EngineConfiguration(
                entries: 1 << 16, services: 1 << 12, destinations: 1 << 14, secret: HashSecret(Self.seed, ~Self.seed)))
        director = Director(
            engine: engine, worker: 0, routing: routing.view, now: 0, seed: Self.seed, counters: counters)
        director.isWholeHost = true
        unsafe buffer = .allocate(byteCount: Self.bufferSize, alignment: 64)
        let network = routing
        engine.network = { network }
        forwards = topology.settings.contains { $0.name == "net.ipv4.ip_forward" && $0.value != "0" }
        for (name, value) in topology.settings { set(name, value) }
        director.resume()
    }

    deinit { unsafe buffer.deallocate() }

    /// A setting of `net.ipv4.vs`, or the host's forwarding switch. Other names say nothing to a replay.
    func set(_ name: String, _ value: String) {
        if name == "net.ipv4.ip_forward" { forwards = value != "0" }
        if let setting = Setting(name: name), name.contains("vs"), let number = Int32(value) {
            engine.set(setting, to: number)
        }
    }

    /// Add a route as `ip route add` takes it.
    func add(route: String) throws {
        topology.add(route: route)
        routing = try topology.snapshot()
    }

    /// Give packets a mark; a rule that is there already stays as it is.
    func mark(_ rule: MarkRule) throws {
        do {
            try engine.addMark(rule)
        } catch MarkError.tableFull {
            throw ReplayError("more than \(MarkRule.capacity) mark rules")
        } catch {}
    }

    /// Let the clock run to `end`: entries expire and waiting packets end in order on the way.
    func advance(to end: UInt64) throws {
        while true {
            let isBehind = director.begin(now: tick, routing: routing.view)
            try flush()
            if isBehind { continue }
            guard milliseconds < end else { return }
            milliseconds = min(end, milliseconds + 32)
            engine.advance(milliseconds: milliseconds)
        }
    }

    private var tick: Tick { Tick(truncatingIfNeeded: milliseconds / Ticks.milliseconds) }

    /// A frame comes in by an interface.
    func inject(_ bytes: [UInt8], interface: Int) throws {
        guard bytes.count + Frame.headroom <= Self.bufferSize else {
            throw ReplayError("a frame of \(bytes.count) bytes is longer than any interface carries")
        }
        var frame = unsafe Frame(buffer: buffer, capacity: Self.bufferSize)
        frame.length = bytes.count
        frame.interface = interface
        for (offset, byte) in bytes.enumerated() { frame.bytes[offset] = byte }
        unsafe withUnsafeMutablePointer(to: &frame) { pointer in
            _ = unsafe director.process(UnsafeMutableBufferPointer(start: pointer, count: 1))
        }
        let passed = director.outbox.passedCount
        for place in 0..<passed {
            var frame = unsafe director.outbox.passing[place]
            director.actAsHost(&frame, forwards: forwards)
        }
        try flush()
    }

    private func flush() throws {
        for place in 0..<director.outbox.count {
            let frame = unsafe director.outbox.sending[place]
            try transmit(frame.bytes, frame.interface)
        }
        director.outbox.empty()
    }
}
