/// Where the table's memory comes from: `allocate` hands out zeroed memory aligned to a cache line, its pages touched or,
/// where that is said, left for the first use to touch.
///
/// `Balancer` makes no system call, so whoever starts workers passes mapped, pre-faulted memory (huge pages pay from a
/// million entries on); tests take it from the heap.
@safe
public struct MemoryProvider: Sendable {
    let provide: @Sendable (Int, Bool) -> UnsafeMutableRawBufferPointer
    let release: @Sendable (UnsafeMutableRawBufferPointer) -> Void

    /// From its two functions.
    public init(
        allocate: @escaping @Sendable (_ count: Int, _ isPrefaulted: Bool) -> UnsafeMutableRawBufferPointer,
        release: @escaping @Sendable (UnsafeMutableRawBufferPointer) -> Void
    ) {
        unsafe provide = allocate
        unsafe self.release = release
    }

    func allocate(_ count: Int, isPrefaulted: Bool = true) -> UnsafeMutableRawBufferPointer {
        unsafe provide(count, isPrefaulted)
    }

    /// From the heap.
    public static let heap = unsafe MemoryProvider(
        allocate: { count, _ in
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
            return unsafe memory
        },
        release: { unsafe $0.deallocate() })
}

/// Owns the memory of a connection table. Made before the workers start, freed after the last has ended.
@safe
public final class ConnectionTableMemory: @unchecked Sendable {
    /// The sizes it was made with.
    public let size: TableSize
    /// Bytes in use for a table full of IPv4 entries (the addresses of IPv6 entries come on top, 64 bytes each).
    public let bytes: Int
    let secret: HashSecret
    let participants: Int
    let provider: MemoryProvider
    let block: UnsafeMutableRawBufferPointer
    let wideBlock: UnsafeMutableRawBufferPointer
    let lines: UnsafeMutablePointer<TableLine>
    let hot: UnsafeMutablePointer<HotEntry>
    let cold: UnsafeMutablePointer<ColdEntry>
    let wide: UnsafeMutablePointer<WideEntry>
    let shared: UnsafeMutablePointer<TableShared>
    let epochs: UnsafeMutablePointer<EpochLine>

    /// Threads besides the workers that may read the table at a time.
    static let readers = 4

    /// Make a table. All-zero memory is the initial state of every line and entry.
    public init(size: TableSize, secret: HashSecret, provider: MemoryProvider = .heap) {
        precondition(MemoryLayout<HotEntry>.stride == 64 && MemoryLayout<ColdEntry>.stride == 32)
        precondition(MemoryLayout<TableLine>.stride == 64 && MemoryLayout<WideEntry>.stride == 64)
        self.size = size
        self.secret = secret
        self.provider = provider
        participants = size.workers + Self.readers
        let lineCount = size.homeLines + size.overflowLines
        let sizes = [
            lineCount * 64, size.entries * 64, size.entries * 32, MemoryLayout<TableShared>.stride,
            participants * MemoryLayout<EpochLine>.stride,
        ]
        let offsets = sizes.reduce(into: [0]) { $0.append(($0[$0.count - 1] + $1 + 63) & ~63) }
        bytes = offsets[sizes.count]
        unsafe block = provider.allocate(bytes)
        unsafe wideBlock = provider.allocate(size.entries * 64, isPrefaulted: false)
        let base = unsafe block.baseAddress.unsafelyUnwrapped
        func place<T: ~Copyable>(_ index: Int, _ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
            unsafe base.advanced(by: offsets[index]).bindMemory(to: type, capacity: count)
        }
        unsafe lines = place(0, TableLine.self, lineCount)
        unsafe hot = place(1, HotEntry.self, size.entries)
        unsafe cold = place(2, ColdEntry.self, size.entries)
        unsafe shared = place(3, TableShared.self, 1)
        unsafe epochs = place(4, EpochLine.self, participants)
        unsafe wide = wideBlock.baseAddress.unsafelyUnwrapped.bindMemory(to: WideEntry.self, capacity: size.entries)
        unsafe shared.initialize(to: TableShared())
        for index in 0..<participants { unsafe (epochs + index).initialize(to: EpochLine()) }
    }

    /// The table in this memory.
    public var table: ConnectionTable { ConnectionTable(memory: self) }

    deinit {
        unsafe provider.release(block)
        unsafe provider.release(wideBlock)
    }
}
