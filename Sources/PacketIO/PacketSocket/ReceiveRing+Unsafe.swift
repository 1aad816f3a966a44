import CLinuxNet
import Glibc
import Synchronization
import Wire

/// A packet socket's frames in memory shared with the kernel (PACKET_RX_RING, version 2: packet(7),
/// Documentation/networking/packet_mmap.rst): the kernel writes each into the next slot, we read and rewrite it there and
/// give the slot back.
///
/// A slot: `struct tpacket2_hdr` (0; its first word says whose the slot is), `struct sockaddr_ll` (32), the virtio-net
/// header (128), the frame (138). So all headers of a small packet share a cache line with the virtio-net header, and an IP
/// header is aligned. What is longer than the slot is cut there and waits, whole, on the socket itself.
///
/// One thread at a time.
@safe
struct ReceiveRing: ~Copyable {
    /// Where a frame begins in its slot.
    static var frameOffset: Int {
        @_noAllocation @_noLocks get { 138 }
    }
    /// The largest slot; of frames that do not fit only few can wait at a time.
    static let largestSlot = 16384
    /// What must be kept free in a slot for the frame to begin at `frameOffset` (`net/packet/af_packet.c`, `tpacket_rcv`: the
    /// network header lies at the headers' 52 bytes and 16 for the link's, aligned to 16, what is reserved and the
    /// virtio-net header's 10).
    private static let reserve = frameOffset - (80 + 10 - 14)
    private static var addressOffset: Int {
        @_noAllocation @_noLocks get { 32 }
    }

    /// The slots that are lent: from `head` on, `lent` of them.
    private struct Position {
        var head = 0
        var lent = 0
    }

    /// How many slots there are: a power of two; none where there is no ring.
    let count: Int
    /// Bytes of a slot: a power of two.
    let slotSize: Int
    private let memory: UnsafeMutableRawPointer?
    private let position: UnsafeMutablePointer<Position>

    /// Have `socket`, which is not bound yet, receive into a ring of `bytes` bytes, a power of two, whose slots have room for
    /// frames of `mtu`. No ring when `bytes` is 0 or the kernel has no room for it.
    init(_ socket: Int32, bytes: Int, mtu: Int) {
        var size = 2048
        while size < min(mtu + Self.frameOffset + 64, Self.largestSlot) { size *= 2 }
        var ring: UnsafeMutableRawPointer?
        let isThere =
            unsafe bytes > 0
            && CLinuxNet_openReceiveRing(
                socket, UInt32(bytes / size), UInt32(size), UInt32(Self.reserve), &ring) == 0
        count = isThere ? bytes / size : 0
        slotSize = size
        unsafe memory = ring
        unsafe position = .allocate(capacity: 1)
        unsafe position.initialize(to: Position())
    }

    deinit {
        unsafe position.deallocate()
        if let memory = unsafe memory { unsafe CLinuxNet_unmap(memory, count * slotSize) }
    }

    /// Give back what was lent, then lend the next frames, `limit` at most.
    /// - Returns: how many, and how many of these have to be received from the socket.
    @_noAllocation @_noLocks
    func lend(_ limit: Int) -> (count: Int, copied: Int) {
        let before = unsafe position.pointee
        for number in 0..<before.lent { unsafe status(before.head, number).pointee.store(0, ordering: .releasing) }
        let head = (before.head &+ before.lent) & (count &- 1)
        let limit = min(limit, count)
        var lent = 0
        var copied = 0
        while lent < limit {
            let word = unsafe status(head, lent).pointee.load(ordering: .acquiring)
            guard word & UInt32(TP_STATUS_USER) != 0 else { break }
            if word & UInt32(TP_STATUS_COPY) != 0 { copied &+= 1 }
            lent &+= 1
        }
        unsafe position.pointee = Position(head: head, lent: lent)
        return (lent, copied)
    }

    /// The frame of lent slot `number`; its length is that of the packet, be it cut or not.
    @_noAllocation @_noLocks
    func frame(_ number: Int) -> Frame {
        let slot = unsafe slot(position.pointee.head, number)
        let before = Self.frameOffset &- Frame.headroom
        var frame = unsafe Frame(buffer: slot + before, capacity: slotSize &- before)
        frame.length = unsafe Int(slot.load(fromByteOffset: 4, as: UInt32.self))
        frame.start = unsafe Int(slot.load(fromByteOffset: 12, as: UInt16.self)) &- before
        return frame
    }

    /// Whether the frame of lent slot `number` is longer than the slot.
    @_noAllocation @_noLocks
    func isCut(_ number: Int) -> Bool {
        let slot = unsafe slot(position.pointee.head, number)
        return unsafe slot.load(fromByteOffset: 8, as: UInt32.self) < slot.load(fromByteOffset: 4, as: UInt32.self)
    }

    /// Whether the frame of lent slot `number`, which is longer than the slot, is on the socket.
    @_noAllocation @_noLocks
    func isCopied(_ number: Int) -> Bool {
        unsafe status(position.pointee.head, number).pointee.load(ordering: .relaxed) & UInt32(TP_STATUS_COPY) != 0
    }

    /// Whether the frame of lent slot `number` is one that this host sends.
    @_noAllocation @_noLocks
    func isOutgoing(_ number: Int) -> Bool {
        unsafe (slot(position.pointee.head, number) + Self.addressOffset).loadUnaligned(as: sockaddr_ll.self)
            .sll_pkttype
            == UInt8(PACKET_OUTGOING)
    }

    @inline(__always)
    private func slot(_ head: Int, _ number: Int) -> UnsafeMutableRawPointer {
        assert(number < count)
        return unsafe memory.unsafelyUnwrapped + ((head &+ number) & (count &- 1)) &* slotSize
    }

    @inline(__always)
    private func status(_ head: Int, _ number: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe slot(head, number).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}
