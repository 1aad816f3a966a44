import CLinuxNet
import Wire

/// The memory of a port's frames: `count` buffers in one mapping, each with headroom and room for the largest super-frame.
@safe
struct FrameBuffers: ~Copyable {
    /// The largest frame: an Ethernet header and an IP packet of 65,535 bytes.
    static let largestFrame = 14 + 65_535
    /// Distance between buffers in bytes: headroom, the largest frame and 435 bytes of slack. An odd number of cache
    /// lines, so that the headers of a batch do not all fall into the same cache set.
    static let stride = 1033 * 64

    /// How many buffers there are.
    let count: Int
    private let base: UnsafeMutableRawPointer

    /// Map the memory; nil when there is none.
    /// - Parameter isPrefaulted: whether every page is touched now, so that receiving into it never faults.
    init?(count: Int, isPrefaulted: Bool) {
        assert(Self.stride >= Frame.headroom + Self.largestFrame)
        guard let base = unsafe CLinuxNet_map(count * Self.stride, isPrefaulted ? 1 : 0) else { return nil }
        unsafe self.base = base
        self.count = count
    }

    deinit { unsafe CLinuxNet_unmap(base, count * Self.stride) }

    /// An empty frame over buffer `index`, with full headroom.
    @_noAllocation @_noLocks
    func frame(_ index: Int) -> Frame {
        assert(index >= 0 && index < count)
        return unsafe Frame(buffer: base + index &* Self.stride, capacity: Self.stride)
    }
}
