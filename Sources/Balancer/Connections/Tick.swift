/// The clock's unit: 4 ms, the kernel's jiffy at HZ 250. A tick counts from the start of the process and wraps; two ticks
/// are compared by the sign of their difference, which holds for 99 days either way.
public typealias Tick = UInt32

/// Conversions of ticks.
public enum Ticks {
    /// Ticks in a second.
    @inlinable public static var perSecond: Tick { 250 }
    /// Milliseconds in a tick.
    @inlinable public static var milliseconds: UInt64 { 4 }

    /// Ticks in `seconds`.
    @inlinable @inline(__always)
    public static func seconds(_ seconds: UInt32) -> Tick { seconds &* perSecond }

    /// Whether `left` lies before `right`.
    @inlinable @inline(__always)
    public static func isBefore(_ left: Tick, _ right: Tick) -> Bool { Int32(bitPattern: left &- right) < 0 }
}
