import CLinuxNet
import Glibc
import Wire

/// The frame memory that an AF_XDP socket shares with the kernel (UMEM): chunks of `chunk` bytes.
@safe
struct XDPFrames: ~Copyable {
    /// Bytes of a chunk. The kernel keeps the first 256 free (XDP_PACKET_HEADROOM), which is headroom.
    static var chunk: Int {
        @_noAllocation @_noLocks get { 4096 }
    }

    private let base: UnsafeMutableRawPointer
    private let length: Int

    /// Map the memory, touched; nil when there is none.
    init?(count: Int) {
        length = count * XDPFrames.chunk
        guard let base = unsafe CLinuxNet_map(length, 1) else { return nil }
        unsafe self.base = base
    }

    deinit { unsafe CLinuxNet_unmap(base, length) }

    /// Make it the memory of `socket`.
    func register(_ socket: Int32, _ action: String) throws(PortError) {
        let status = unsafe CLinuxNet_registerFrames(socket, base, length, UInt32(XDPFrames.chunk))
        guard status == 0 else { throw PortError("register the frame memory of \(action)", errno: -status) }
    }

    /// The frame of `length` bytes at `address`, an offset into the memory, with what lies before it in its chunk as
    /// headroom.
    @_noAllocation @_noLocks
    func frame(_ address: UInt64, length: UInt32) -> Frame {
        let start = Int(truncatingIfNeeded: address) & (XDPFrames.chunk &- 1)
        let chunk = Int(truncatingIfNeeded: address) &- start
        var frame = unsafe Frame(buffer: base + chunk, capacity: XDPFrames.chunk)
        frame.start = start
        frame.length = Int(length)
        return frame
    }

    /// Copy a frame to `address`.
    @_noAllocation @_noLocks
    func copy(_ frame: borrowing Frame, to address: UInt64) {
        unsafe (base + Int(truncatingIfNeeded: address)).copyMemory(
            from: frame.bytes.pointer(at: 0), byteCount: frame.length)
    }
}

/// A stack of chunk numbers.
@safe
struct XDPFreeList: ~Copyable {
    private let numbers: UnsafeMutablePointer<UInt32>
    private(set) var count: Int

    /// Full, of `count` chunks from `first` on.
    init(first: UInt32, count: UInt32) {
        unsafe numbers = .allocate(capacity: Int(count))
        for index in 0..<count { unsafe (numbers + Int(index)).initialize(to: first + index) }
        self.count = Int(count)
    }

    deinit { unsafe numbers.deallocate() }

    /// Take the address of a free chunk; there must be one.
    @_noAllocation @_noLocks
    mutating func take() -> UInt64 {
        count &-= 1
        return unsafe UInt64(numbers[count]) &* UInt64(XDPFrames.chunk)
    }

    /// Give back the chunk that `address` lies in.
    @_noAllocation @_noLocks
    mutating func give(_ address: UInt64) {
        unsafe numbers[count] = UInt32(truncatingIfNeeded: address / UInt64(XDPFrames.chunk))
        count &+= 1
    }
}
