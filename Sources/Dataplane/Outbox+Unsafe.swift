public import Wire

/// What a director has to send: frames in order, and the memory of those it made itself. One worker's.
///
/// Made frames (ICMP errors, fragments, replies) lie in one arena that is emptied with the outbox.
@safe
public struct Outbox: ~Copyable {
    let frames: UnsafeMutablePointer<Frame>
    let passed: UnsafeMutablePointer<Frame>
    let capacity: Int
    let arena: UnsafeMutableRawPointer
    let arenaSize: Int
    var used = 0
    /// Frames to send.
    public internal(set) var count = 0
    /// Frames for the host.
    public internal(set) var passedCount = 0

    /// Most frames that one received frame becomes: 64 KB in pieces of 8 bytes, the smallest that fragments have, and
    /// segments of a sender that is as mean as TCP allows.
    static var mostFrames: Int { 8_192 }
    /// Most bytes of the arena that these take, each with its headers and its headroom.
    static var mostBytes: Int { 3 << 20 }
    /// Frames that an outbox has room for by default: those of a batch, and then those of one frame.
    public static var defaultCapacity: Int { 1_024 &+ mostFrames }
    /// Bytes of made frames that an outbox has room for by default, likewise.
    public static var defaultArena: Int { (1 << 20) &+ mostBytes }

    /// Room for `capacity` frames and `arena` bytes of made frames.
    public init(capacity: Int = Outbox.defaultCapacity, arena size: Int = Outbox.defaultArena) {
        self.capacity = capacity
        unsafe frames = .allocate(capacity: capacity)
        unsafe passed = .allocate(capacity: capacity)
        unsafe arena = .allocate(byteCount: size, alignment: 64)
        // Touched now, so that no packet pays for a page.
        unsafe arena.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        arenaSize = size
    }

    deinit {
        unsafe frames.deallocate()
        unsafe passed.deallocate()
        unsafe arena.deallocate()
    }

    /// Frames that leave, in order, `Frame.interface` being the egress interface.
    @unsafe public var sending: UnsafeMutableBufferPointer<Frame> {
        unsafe UnsafeMutableBufferPointer(start: frames, count: count)
    }

    /// Frames that are for the host, with their ingress interface.
    @unsafe public var passing: UnsafeMutableBufferPointer<Frame> {
        unsafe UnsafeMutableBufferPointer(start: passed, count: passedCount)
    }

    /// Whether there is room for whatever one more received frame may lead to.
    public var hasRoom: Bool { count &+ Self.mostFrames < capacity && arenaSize &- used > Self.mostBytes }

    /// Whether there is room for so many made frames of `length` bytes at most.
    func hasRoom(for frames: Int, of length: Int) -> Bool {
        count &+ frames <= capacity && frames &* Self.size(length) <= arenaSize &- used
    }

    private static func size(_ length: Int) -> Int { (Frame.headroom &+ length &+ 63) & ~63 }

    /// Send `frame`.
    mutating func send(_ frame: Frame) -> Bool {
        guard count < capacity else { return false }
        unsafe frames[count] = frame
        count &+= 1
        return true
    }

    /// Leave `frame` to the host.
    mutating func pass(_ frame: Frame) {
        guard passedCount < capacity else { return }
        unsafe passed[passedCount] = frame
        passedCount &+= 1
    }

    /// An empty frame with room for `length` bytes; nil when the arena is used up.
    mutating func make(_ length: Int) -> Frame? {
        let size = Self.size(length)
        guard used &+ size <= arenaSize else { return nil }
        let frame = unsafe Frame(buffer: arena + used, capacity: size)
        used &+= size
        return frame
    }

    mutating func forgetPassed() { passedCount = 0 }

    /// Begin anew: what was in it has been sent.
    public mutating func empty() {
        count = 0
        passedCount = 0
        used = 0
    }
}
