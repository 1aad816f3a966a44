import Synchronization
public import Wire

/// A port in memory, for tests: what is injected is received, what is transmitted can be taken.
///
/// `inject`, `takeTransmitted` and `statistics` may be called from any thread beside the worker's.
public final class LoopbackPort: Port, @unchecked Sendable {
    /// A frame outside of a port's memory.
    public struct Packet: Hashable, Sendable {
        /// From the Ethernet header on.
        public var bytes: [UInt8]
        /// Offload facts.
        public var offload: OffloadFacts

        /// From its parts.
        public init(bytes: [UInt8], offload: OffloadFacts = OffloadFacts()) {
            self.bytes = bytes
            self.offload = offload
        }
    }

    private struct Queues {
        var injected: [Packet] = []
        var transmitted: [Packet] = []
    }

    /// The interface's name.
    public let name: String
    /// What it can carry, as given.
    public let capabilities: PortCapabilities
    /// Frames that each of the two queues holds at most.
    public let capacity: Int
    private let queues = Mutex(Queues())
    private let buffers: FrameBuffers
    private let counters = PortCounters()
    private static let batch = 64

    /// An empty port whose two queues hold `capacity` frames each.
    public init(
        name: String, capacity: Int = 1024,
        capabilities: PortCapabilities = PortCapabilities(
            mtu: 1500, carriesPartialChecksums: true, carriesSuperFrames: true)
    ) throws(PortError) {
        guard let buffers = FrameBuffers(count: Self.batch, isPrefaulted: false) else {
            throw .noMemory(action: "loopback port \(name)", bytes: Self.batch * FrameBuffers.stride)
        }
        self.name = name
        self.capacity = capacity
        self.capabilities = capabilities
        self.buffers = buffers
    }

    /// What it counted.
    public var statistics: PortStatistics { counters.statistics }

    /// It never blocks.
    public var descriptor: Int32? { nil }

    /// Queue a frame to be received. False, and counted in `receiveDrops`, when the queue is full or the frame is longer
    /// than a super-frame.
    @discardableResult
    public func inject(_ bytes: [UInt8], offload: OffloadFacts = OffloadFacts()) -> Bool {
        let isQueued = queues.withLock { queues in
            guard queues.injected.count < capacity, bytes.count <= FrameBuffers.largestFrame else { return false }
            queues.injected.append(Packet(bytes: bytes, offload: offload))
            return true
        }
        if !isQueued { counters.receiveDrops.addShared(1) }
        return isQueued
    }

    /// Take what was transmitted since the last call, in order.
    public func takeTransmitted() -> [Packet] {
        queues.withLock { queues in
            defer { queues.transmitted.removeAll() }
            return queues.transmitted
        }
    }

    /// Lend the frames injected first.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        let packets = queues.withLock { queues in
            let packets = Array(queues.injected.prefix(min(frames.count, Self.batch)))
            queues.injected.removeFirst(packets.count)
            return packets
        }
        for (slot, packet) in packets.enumerated() {
            var frame = buffers.frame(slot)
            let room = frame.writable
            unsafe packet.bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(start: room.pointer(), count: room.count).copyMemory(from: source)
            }
            frame.length = packet.bytes.count
            frame.offload = packet.offload
            unsafe frames[slot] = frame
        }
        counters.received.add(packets.count)
        return packets.count
    }

    /// Queue copies of frames for `takeTransmitted`; those beyond the queue's capacity are dropped.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        let packets = unsafe frames.map { Packet(bytes: $0.bytes.array(), offload: $0.offload) }
        let queued = queues.withLock { queues in
            let queued = min(packets.count, capacity - queues.transmitted.count)
            queues.transmitted.append(contentsOf: packets.prefix(queued))
            return queued
        }
        counters.transmitted.add(queued)
        counters.transmitDrops.add(packets.count - queued)
    }
}
