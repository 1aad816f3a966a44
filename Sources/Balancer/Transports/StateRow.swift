/// A row of a state table: the next state for each state, four bits each, state 0 lowest.
@usableFromInline
struct StateRow: BitwiseCopyable {
    @usableFromInline let bits: UInt64

    /// From the next states, in the order of the states.
    @inlinable @inline(__always)
    init(
        _ s0: UInt8, _ s1: UInt8, _ s2: UInt8, _ s3: UInt8, _ s4: UInt8, _ s5: UInt8, _ s6: UInt8, _ s7: UInt8,
        _ s8: UInt8, _ s9: UInt8, _ s10: UInt8, _ s11: UInt8 = 0, _ s12: UInt8 = 0, _ s13: UInt8 = 0
    ) {
        let low = UInt64(s0) | UInt64(s1) << 4 | UInt64(s2) << 8 | UInt64(s3) << 12 | UInt64(s4) << 16
        let middle = UInt64(s5) << 20 | UInt64(s6) << 24 | UInt64(s7) << 28 | UInt64(s8) << 32 | UInt64(s9) << 36
        let high = UInt64(s10) << 40 | UInt64(s11) << 44 | UInt64(s12) << 48 | UInt64(s13) << 52
        bits = low | middle | high
    }

    /// The state after `state`.
    @inlinable @inline(__always)
    func next(_ state: UInt8) -> UInt8 { UInt8(truncatingIfNeeded: bits >> (UInt64(state & 15) &* 4)) & 15 }
}
