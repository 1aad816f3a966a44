public import Synchronization

/// The two words of a ring that all threads change, a cache line each.
@usableFromInline
struct LocalPortShared: ~Copyable {
    /// Position of the next port to hand out.
    @usableFromInline let head = Atomic<UInt64>(0)
    @usableFromInline let pad0 = PaddingLine()
    /// Position of the next port to come back.
    @usableFromInline let tail = Atomic<UInt64>(0)
    @usableFromInline let pad1 = PaddingLine()
    /// Ports that the ring has, free or not.
    @usableFromInline let ports: Int
    @usableFromInline init(ports: Int) { self.ports = ports }
}

/// The free ports of one local address and transport protocol, the longest-free first: a bounded queue in which no thread
/// ever waits for another.
///
/// Each cell is one word: a position above, a port below; port 0 is an empty cell that waits for the port which comes back
/// at that position. A port changes hands by one compare-exchange of its cell; `head` and `tail` only follow, and whoever
/// finds them behind moves them on. Positions grow (48 bits of them are kept) and so do not come again while a thread holds one: there is no ABA. After the
/// queues of Tsigas and Zhang (SPAA 2001), with positions in the place of their null values.
/// docs/connection-table.md has the argument.
///
/// A handle; `LocalAddress` owns the memory. Any thread.
@safe
public struct LocalPortRing {
    /// The first port handed out. Those below are the system's (RFC 6335 §6): servers may trust or refuse them, and
    /// firewalls know them as services.
    @inlinable public static var firstPort: UInt16 { 1024 }
    /// The last port handed out. No range is left to the host where the whole address is the director's.
    @inlinable public static var lastPort: UInt16 { 65535 }
    /// Ports of an address and protocol.
    @inlinable public static var ports: Int { 64_512 }
    /// The first port handed out of an address that the host has itself; the others stay the host's. Above those that Linux
    /// gives outgoing connections unless told otherwise (`net.ipv4.ip_local_port_range`, 32768 to 60999).
    @inlinable public static var firstPortBesideHost: UInt16 { 61_000 }
    /// Cells; more than ports, so that a port that comes back always finds an empty one.
    static var cells: Int { 65_536 }
    private static var mask: UInt64 { 65_535 }
    /// Bytes of memory.
    static var bytes: Int { MemoryLayout<LocalPortShared>.stride + cells * 8 }

    let shared: UnsafeMutablePointer<LocalPortShared>

    init(_ shared: UnsafeMutablePointer<LocalPortShared>) { unsafe self.shared = shared }

    /// A ring with every port from `first` on free, in `bytes` bytes of zeroed memory.
    init(formatting memory: UnsafeMutableRawBufferPointer, from first: UInt16 = LocalPortRing.firstPort) {
        let ports = Int(Self.lastPort) - Int(first) + 1
        let base = unsafe memory.baseAddress.unsafelyUnwrapped
        unsafe shared = base.bindMemory(to: LocalPortShared.self, capacity: 1)
        unsafe shared.initialize(to: LocalPortShared(ports: ports))
        for position in 0..<Self.cells {
            let port = position < ports ? UInt64(first) &+ UInt64(position) : 0
            unsafe cell(UInt64(position)).initialize(to: Atomic(UInt64(position) << 16 | port))
        }
        unsafe shared.pointee.tail.store(UInt64(ports), ordering: .releasing)
    }

    private func cell(_ position: UInt64) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let offset = MemoryLayout<LocalPortShared>.stride &+ Int(truncatingIfNeeded: position & Self.mask) &* 8
        return unsafe UnsafeMutableRawPointer(shared).advanced(by: offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The port that has been free for longest; nil when every port is in use. Lock-free: it begins anew only when another
    /// thread took or gave a port meanwhile.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func take() -> UInt16? {
        var head = unsafe shared.pointee.head.load(ordering: .acquiring)
        while true {
            let cell = unsafe cell(head)
            let value = unsafe cell.pointee.load(ordering: .acquiring)
            let port = UInt16(truncatingIfNeeded: value)
            if value >> 16 == head & 0xffff_ffff_ffff {
                if port == 0 { return nil }
                let emptied = (head &+ UInt64(Self.cells)) << 16
                if unsafe cell.pointee.compareExchange(
                    expected: value, desired: emptied, ordering: .acquiringAndReleasing
                ).exchanged {
                    unsafe advance(shared.pointee.head, from: head)
                    return port
                }
            } else {
                // Taken already, and `head` perhaps not yet moved on.
                unsafe advance(shared.pointee.head, from: head)
            }
            head = unsafe shared.pointee.head.load(ordering: .acquiring)
        }
    }

    /// A port is free again: it is handed out after all that are free now. Each port that was taken is given back once.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func giveBack(_ port: UInt16) {
        var tail = unsafe shared.pointee.tail.load(ordering: .acquiring)
        while true {
            let cell = unsafe cell(tail)
            let value = unsafe cell.pointee.load(ordering: .acquiring)
            if value == tail << 16 {
                if unsafe cell.pointee.compareExchange(
                    expected: value, desired: value | UInt64(port), ordering: .acquiringAndReleasing
                ).exchanged {
                    unsafe advance(shared.pointee.tail, from: tail)
                    return
                }
            } else {
                unsafe advance(shared.pointee.tail, from: tail)
            }
            tail = unsafe shared.pointee.tail.load(ordering: .acquiring)
        }
    }

    private func advance(_ word: borrowing Atomic<UInt64>, from position: UInt64) {
        _ = word.compareExchange(expected: position, desired: position &+ 1, ordering: .acquiringAndReleasing)
    }

    /// Ports in use; while others take and give ports, near enough.
    public var inUse: Int {
        let head = unsafe shared.pointee.head.load(ordering: .acquiring)
        let tail = unsafe shared.pointee.tail.load(ordering: .acquiring)
        let ports = unsafe shared.pointee.ports
        return min(max(0, ports - Int(truncatingIfNeeded: tail &- head)), ports)
    }
}
