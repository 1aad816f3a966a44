public import Wire

/// A port that loses, doubles, reorders and damages frames of another on their way in and out, at random from a seed: the
/// same seed and the same batches give the same faults. One thread.
@safe
public final class FaultInjector: Port {
    /// How likely each fault is for a frame, from 0 to 1.
    public struct Faults: Hashable, Sendable {
        /// The frame disappears.
        public var drop: Double
        /// The frame comes twice, when the batch has room.
        public var duplicate: Double
        /// The frame changes places with the one before it in its batch.
        public var reorder: Double
        /// One bit of the frame is flipped.
        public var corrupt: Double

        /// None but those given.
        public init(drop: Double = 0, duplicate: Double = 0, reorder: Double = 0, corrupt: Double = 0) {
            self.drop = drop
            self.duplicate = duplicate
            self.reorder = reorder
            self.corrupt = corrupt
        }
    }

    /// How many frames each fault has hit.
    public struct Counts: Hashable, Sendable {
        /// Frames that disappeared.
        public var dropped = 0
        /// Frames that came twice.
        public var duplicated = 0
        /// Frames that changed places with the one before.
        public var reordered = 0
        /// Frames with a flipped bit.
        public var corrupted = 0
    }

    /// The port that does the work.
    public let base: any Port
    /// Faults so far.
    public private(set) var counts = Counts()
    private let receiveFaults: Faults
    private let transmitFaults: Faults
    private var random: SplitMix64
    private let copies: FrameBuffers
    private let leaving: UnsafeMutableBufferPointer<Frame>
    private static let batch = 64

    /// Put faults into what passes through `base`.
    public init(
        _ base: any Port, receive: Faults = Faults(), transmit: Faults = Faults(), seed: UInt64
    ) throws(PortError) {
        guard let copies = FrameBuffers(count: Self.batch, isPrefaulted: false) else {
            throw .noMemory(action: "fault injector on \(base.name)", bytes: Self.batch * FrameBuffers.stride)
        }
        self.base = base
        receiveFaults = receive
        transmitFaults = transmit
        random = SplitMix64(state: seed)
        self.copies = copies
        unsafe leaving = .allocate(capacity: 2 * Self.batch)
    }

    deinit { unsafe leaving.deallocate() }

    /// The wrapped port's.
    public var name: String { base.name }
    /// The wrapped port's.
    public var capabilities: PortCapabilities { base.capabilities }
    /// The wrapped port's: frames lost here are in `counts`.
    public var statistics: PortStatistics { base.statistics }
    /// The wrapped port's.
    public var descriptor: Int32? { base.descriptor }
    /// The wrapped port's.
    public var isFreeToAsk: Bool { base.isFreeToAsk }

    /// Receive from the wrapped port, with faults. May be 0 although frames came: all were lost.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        let count = unsafe base.receive(into: frames)
        return unsafe disturb(frames, count: count, faults: receiveFaults)
    }

    /// Transmit through the wrapped port, with faults.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        var first = 0
        while first < frames.count {
            let taken = min(Self.batch, frames.count - first)
            for slot in 0..<taken { unsafe leaving[slot] = frames[first + slot] }
            let count = unsafe disturb(leaving, count: taken, faults: transmitFaults)
            unsafe base.transmit(UnsafeMutableBufferPointer(rebasing: leaving[..<count]))
            first += taken
        }
    }

    /// Put faults into the first `count` of `frames`.
    /// - Returns: how many frames there are now.
    private func disturb(_ frames: UnsafeMutableBufferPointer<Frame>, count: Int, faults: Faults) -> Int {
        var kept = 0
        var copied = 0
        for slot in 0..<count {
            let frame = unsafe frames[slot]
            if random.happens(faults.drop) {
                counts.dropped += 1
                continue
            }
            if random.happens(faults.corrupt), frame.length > 0 {
                let place = random.below(frame.length)
                frame.bytes[place] ^= 1 << UInt8(random.below(8))
                counts.corrupted += 1
            }
            unsafe frames[kept] = frame
            if random.happens(faults.reorder), kept > 0 {
                unsafe frames.swapAt(kept, kept - 1)
                counts.reordered += 1
            }
            kept += 1
        }
        for slot in 0..<kept where random.happens(faults.duplicate) {
            guard kept + copied < frames.count, copied < copies.count else { break }
            unsafe frames[kept + copied] = copy(unsafe frames[slot], to: copied)
            copied += 1
            counts.duplicated += 1
        }
        return kept + copied
    }

    /// A copy of `frame` with memory of its own: the director may rewrite one and not the other.
    private func copy(_ frame: Frame, to index: Int) -> Frame {
        var copy = copies.frame(index)
        copy.writable.copy(from: frame.bytes)
        copy.length = frame.length
        copy.interface = frame.interface
        copy.offload = frame.offload
        return copy
    }
}

/// Steele, Lea and Flood's generator (OOPSLA 2014): small, seeded, good enough for faults.
private struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// True with this probability.
    mutating func happens(_ probability: Double) -> Bool { Double(next() >> 11) * 0x1p-53 < probability }

    /// 0..<limit.
    mutating func below(_ limit: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(limit)).high) }
}
