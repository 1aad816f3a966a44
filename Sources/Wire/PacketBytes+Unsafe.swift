/// A window on the bytes of one packet, in memory that somebody else owns.
///
/// Multi-byte accessors convert from and to network order. Offsets are bytes from the start of the window; they are
/// checked by `assert` only, so whoever reads must first have compared with `count`. The memory must outlive the value;
/// a frame's bytes live until its batch is given back to the port. Used by one thread at a time.
@safe
public struct PacketBytes {
    @usableFromInline
    let base: UnsafeMutableRawPointer
    /// Bytes in the window.
    public let count: Int

    /// A window on `count` bytes from `base`.
    @inlinable @inline(__always)
    public init(_ base: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    /// A window on a whole buffer, which must have an address even when it is empty.
    @inlinable @inline(__always)
    public init(_ buffer: UnsafeMutableRawBufferPointer) {
        unsafe self.base = buffer.baseAddress.unsafelyUnwrapped
        self.count = buffer.count
    }

    /// The address of the byte at `offset`.
    @unsafe @inlinable @inline(__always)
    public func pointer(at offset: Int = 0) -> UnsafeMutableRawPointer { unsafe base + offset }

    /// The value in network order at `offset`, in host order.
    @inlinable @inline(__always)
    public func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Value {
        assert(offset >= 0 && offset &+ MemoryLayout<Value>.size <= count)
        return unsafe Value(bigEndian: base.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// The value in network order at `offset`, in host order.
    @inlinable @inline(__always)
    public func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Value.Type
    ) -> Value {
        load(offset)
    }

    /// Store `value` in network order at `offset`.
    @inlinable @inline(__always)
    public func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, _ offset: Int) {
        assert(offset >= 0 && offset &+ MemoryLayout<Value>.size <= count)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }

    /// The value at `offset` as it lies in memory: for sums, which do not mind the byte order (RFC 1071).
    @inlinable @inline(__always)
    public func loadRaw<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Value {
        assert(offset >= 0 && offset &+ MemoryLayout<Value>.size <= count)
        return unsafe base.loadUnaligned(fromByteOffset: offset, as: Value.self)
    }

    /// The value at `offset` as it lies in memory: for sums, which do not mind the byte order (RFC 1071).
    @inlinable @inline(__always)
    public func loadRaw<Value: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Value.Type
    ) -> Value {
        loadRaw(offset)
    }

    /// The byte at `offset`.
    @inlinable @inline(__always)
    public subscript(offset: Int) -> UInt8 {
        get { load(offset, as: UInt8.self) }
        nonmutating set { store(newValue, offset) }
    }

    /// The window without its first `offset` bytes.
    @inlinable @inline(__always)
    public func dropping(_ offset: Int) -> PacketBytes {
        assert(offset >= 0 && offset <= count)
        return unsafe PacketBytes(base + offset, count: count &- offset)
    }

    /// The first `length` bytes of the window, or all of it when it is shorter.
    @inlinable @inline(__always)
    public func prefix(_ length: Int) -> PacketBytes {
        unsafe PacketBytes(base, count: length < count ? length : count)
    }

    /// Copy all of `source` to `offset`; the two windows may overlap.
    @inlinable @inline(__always)
    public func copy(from source: PacketBytes, to offset: Int = 0) {
        assert(offset >= 0 && offset &+ source.count <= count)
        unsafe (base + offset).copyMemory(from: source.base, byteCount: source.count)
    }

    /// Set `length` bytes from `offset` to zero.
    @inlinable @inline(__always)
    public func zero(_ offset: Int, _ length: Int) {
        assert(offset >= 0 && offset &+ length <= count)
        unsafe (base + offset).initializeMemory(as: UInt8.self, repeating: 0, count: length)
    }

    /// A copy of the bytes. For tests and the control plane: it allocates.
    public func array() -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: count))
    }
}
