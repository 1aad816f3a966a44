import CLinuxNet
import Glibc
import Wire

/// The arrays that one recvmmsg or sendmmsg works on, allocated once: a message, one vector and, where wanted, a
/// link-level address for each frame.
@safe
struct MessageBatch: ~Copyable {
    private let capacity: Int
    private let messages: UnsafeMutablePointer<CLinuxNet_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let addresses: UnsafeMutablePointer<sockaddr_ll>

    /// Room for `capacity` frames.
    /// - Parameter carriesAddresses: whether the kernel shall say of each received frame where it came from.
    init(capacity: Int, carriesAddresses: Bool) {
        self.capacity = capacity
        unsafe messages = .allocate(capacity: capacity)
        unsafe vectors = .allocate(capacity: capacity)
        unsafe addresses = .allocate(capacity: capacity)
        unsafe vectors.initialize(repeating: iovec(), count: capacity)
        unsafe addresses.initialize(repeating: sockaddr_ll(), count: capacity)
        unsafe messages.initialize(repeating: CLinuxNet_mmsghdr(), count: capacity)
        for index in 0..<capacity {
            unsafe messages[index].msg_hdr.msg_iov = vectors + index
            unsafe messages[index].msg_hdr.msg_iovlen = 1
            guard carriesAddresses else { continue }
            unsafe messages[index].msg_hdr.msg_name = UnsafeMutableRawPointer(addresses + index)
            unsafe messages[index].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_ll>.size)
        }
    }

    deinit {
        unsafe messages.deallocate()
        unsafe vectors.deallocate()
        unsafe addresses.deallocate()
    }

    /// Let message `index` cover a frame and the virtio-net header before it: `length` bytes in all, from
    /// `OffloadFacts.virtioHeaderLength` bytes before the frame's first.
    @_noAllocation @_noLocks
    func cover(_ index: Int, _ frame: borrowing Frame, length: Int) {
        assert(index < capacity)
        let first = unsafe frame.bytes.pointer(at: -OffloadFacts.virtioHeaderLength)
        unsafe vectors[index] = iovec(iov_base: first, iov_len: length)
    }

    /// Receive into messages `range`, as many as wait: how many, or -errno.
    @_noAllocation @_noLocks
    func receive(from socket: Int32, into range: Range<Int>) -> Int {
        let count = UInt32(truncatingIfNeeded: range.upperBound &- range.lowerBound)
        return unsafe Int(CLinuxNet_receiveBatch(socket, messages + range.lowerBound, count))
    }

    /// Send messages `first..<end` without waiting: how many, or -errno of the first.
    @_noAllocation @_noLocks
    func send(to socket: Int32, from first: Int, end: Int) -> Int {
        unsafe Int(CLinuxNet_sendBatch(socket, messages + first, UInt32(truncatingIfNeeded: end &- first)))
    }

    /// Bytes that message `index` received, the virtio-net header included.
    @_noAllocation @_noLocks
    func length(_ index: Int) -> Int { unsafe Int(messages[index].msg_len) }

    /// Whether message `index` was longer than its buffer.
    @_noAllocation @_noLocks
    func isCut(_ index: Int) -> Bool {
        unsafe messages[index].msg_hdr.msg_flags & CInt(MSG_TRUNC) != 0
    }

    /// Whether message `index` is a copy of a frame that this host sends. Only where addresses are carried.
    @_noAllocation @_noLocks
    func isOutgoing(_ index: Int) -> Bool { unsafe addresses[index].sll_pkttype == UInt8(PACKET_OUTGOING) }
}
