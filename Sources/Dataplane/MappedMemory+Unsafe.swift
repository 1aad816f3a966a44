public import Balancer
import CLinuxNet

extension MemoryProvider {
    /// From the kernel: pages of its own, touched before the first packet comes where that is said. Made at start only:
    /// without memory there is nothing to run.
    public static let mapped = unsafe MemoryProvider(
        allocate: { count, isPrefaulted in
            guard let address = unsafe CLinuxNet_map(count, isPrefaulted ? 1 : 0) else {
                preconditionFailure("mmap of \(count) bytes: not enough memory; use a smaller --connections")
            }
            return unsafe UnsafeMutableRawBufferPointer(start: address, count: count)
        },
        release: { memory in
            guard let address = memory.baseAddress else { return }
            unsafe CLinuxNet_unmap(address, memory.count)
        })
}
