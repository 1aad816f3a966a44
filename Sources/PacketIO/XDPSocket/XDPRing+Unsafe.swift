import CLinuxNet
import Synchronization

/// One of an AF_XDP socket's rings: descriptors that one side produces and the other consumes, with a counter for each
/// that runs freely (Linux, Documentation/networking/af_xdp.rst). One worker thread on this side, the kernel on the other.
@safe
struct XDPRing: ~Copyable {
    /// How many descriptors it has: a power of two.
    let count: UInt32
    private var ring: CLinuxNet_ring
    private let producer: UnsafeMutablePointer<Atomic<UInt32>>
    private let consumer: UnsafeMutablePointer<Atomic<UInt32>>
    private let flags: UnsafeMutablePointer<Atomic<UInt32>>
    private let descriptors: UnsafeMutableRawPointer

    /// Size the ring of `socket` and map it.
    init(_ socket: Int32, _ kind: CLinuxNet_ringKind, count: UInt32, action: String) throws(PortError) {
        var ring = unsafe CLinuxNet_ring()
        var status = CLinuxNet_sizeRing(socket, kind, count)
        if status == 0 { status = unsafe CLinuxNet_mapRing(socket, kind, count, &ring) }
        guard status == 0, let producer = unsafe ring.producer, let consumer = unsafe ring.consumer,
            let flags = unsafe ring.flags, let descriptors = unsafe ring.descriptors
        else { throw PortError("map a ring of \(action)", errno: -status) }
        self.count = count
        unsafe self.ring = ring
        unsafe self.producer = UnsafeMutableRawPointer(producer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe self.consumer = UnsafeMutableRawPointer(consumer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe self.flags = UnsafeMutableRawPointer(flags).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe self.descriptors = descriptors
    }

    deinit {
        var ring = unsafe ring
        unsafe CLinuxNet_unmapRing(&ring)
    }

    /// Whether the kernel sleeps and wants a system call to look at the ring (`XDP_RING_NEED_WAKEUP`).
    var needsWakeup: Bool {
        @_noAllocation @_noLocks get { unsafe flags.pointee.load(ordering: .relaxed) & 1 != 0 }
    }

    /// Descriptors that the kernel has not taken yet, of a ring that we produce.
    var pending: UInt32 {
        @_noAllocation @_noLocks
        get { unsafe producer.pointee.load(ordering: .relaxed) &- consumer.pointee.load(ordering: .acquiring) }
    }

    /// Descriptors that wait for us, of a ring that we consume.
    var waiting: UInt32 {
        @_noAllocation @_noLocks
        get { unsafe producer.pointee.load(ordering: .acquiring) &- consumer.pointee.load(ordering: .relaxed) }
    }

    /// The counter of our side, where the next descriptor goes or comes from.
    var produced: UInt32 {
        @_noAllocation @_noLocks get { unsafe producer.pointee.load(ordering: .relaxed) }
    }
    var consumed: UInt32 {
        @_noAllocation @_noLocks get { unsafe consumer.pointee.load(ordering: .relaxed) }
    }

    /// Let the kernel see all descriptors before `counter`: their contents are written before it is.
    @_noAllocation @_noLocks
    func publish(_ counter: UInt32) { unsafe producer.pointee.store(counter, ordering: .releasing) }

    /// Give the kernel back all descriptors before `counter`.
    @_noAllocation @_noLocks
    func release(_ counter: UInt32) { unsafe consumer.pointee.store(counter, ordering: .releasing) }

    /// The address in descriptor `counter` of a fill or completion ring.
    @_noAllocation @_noLocks
    func address(_ counter: UInt32) -> UInt64 {
        unsafe descriptors.load(fromByteOffset: Int(counter & (count &- 1)) &* 8, as: UInt64.self)
    }

    /// Write descriptor `counter` of a fill ring.
    @_noAllocation @_noLocks
    func write(_ counter: UInt32, address: UInt64) {
        unsafe descriptors.storeBytes(of: address, toByteOffset: Int(counter & (count &- 1)) &* 8, as: UInt64.self)
    }

    /// Descriptor `counter` of a receive ring.
    @_noAllocation @_noLocks
    func descriptor(_ counter: UInt32) -> xdp_desc {
        unsafe descriptors.load(fromByteOffset: Int(counter & (count &- 1)) &* 16, as: xdp_desc.self)
    }

    /// Write descriptor `counter` of a transmit ring.
    @_noAllocation @_noLocks
    func write(_ counter: UInt32, _ descriptor: xdp_desc) {
        unsafe descriptors.storeBytes(
            of: descriptor, toByteOffset: Int(counter & (count &- 1)) &* 16, as: xdp_desc.self)
    }
}
