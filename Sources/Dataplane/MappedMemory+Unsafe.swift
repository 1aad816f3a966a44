public import Balancer
import CLinuxNet

extension MemoryProvider {
    /// From the kernel: pages of its own, touched before the first packet comes where that is said, and then huge ones as far
    /// as they fill these. Made at start only: without memory there is nothing to run.
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

/// Pages of 2 MB.
public enum HugePages {
    /// From here on only what is filled at once has huge pages. Debian's kernel gives them unasked: each stack of a thread,
    /// and each growth of the heap, then takes 2 MB for some KB. Call it before there are threads.
    public static func onlyWhereAsked() {
        // A kernel without huge pages refuses, and there is nothing to refuse.
        _ = CLinuxNet_refuseHugePages()
    }
}
