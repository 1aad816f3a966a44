/// An integer kept in network byte order, so that a bare integer is always in host order.
public struct NetworkOrder<Value: FixedWidthInteger & BitwiseCopyable & Sendable>: Hashable, Sendable, BitwiseCopyable {
    /// The bits as they lie on the wire.
    public var rawValue: Value

    /// From a value in host order.
    @inlinable @inline(__always)
    public init(_ value: Value) { rawValue = value.bigEndian }

    /// Whether both are the same number.
    @inlinable @inline(__always)
    public static func == (left: NetworkOrder, right: NetworkOrder) -> Bool { left.rawValue == right.rawValue }

    /// The value in host order.
    @inlinable @inline(__always)
    public var value: Value { Value(bigEndian: rawValue) }
}
