public import Wire

/// How many new connections of a service one source may open: so many in a period on average, `burst` at once.
public struct SourceRate: Hashable, Sendable {
    /// What the connections are counted in; the raw value is in seconds.
    public enum Period: UInt32, Hashable, Sendable, CaseIterable {
        case second = 1
        case minute = 60
        case hour = 3600
    }

    /// New connections a period.
    public var connections: UInt32
    /// The period.
    public var period: Period
    /// New connections at once, after a long silence.
    public var burst: UInt32
    /// Bits of an address that make one source.
    public var prefixLength: Int

    /// The most connections a period, and the largest burst.
    public static let largest: UInt32 = 100_000

    /// From its parts. Without `burst`: what comes in one period; without `prefixLength`: an IPv4 address, or an IPv6
    /// /64, which one host has to itself.
    public init(
        connections: UInt32, period: Period = .second, burst: UInt32? = nil, prefixLength: Int? = nil,
        family: AddressFamily
    ) {
        self.connections = connections
        self.period = period
        self.burst = burst ?? connections
        self.prefixLength = prefixLength ?? Self.defaultPrefixLength(family)
    }

    /// Bits that make one source unless something else is said.
    public static func defaultPrefixLength(_ family: AddressFamily) -> Int { family == .v4 ? 32 : 64 }

    /// Whether the numbers are within their bounds, and such that a burst is refilled within 10 days.
    public func isUsable(_ family: AddressFamily) -> Bool {
        (1...Self.largest).contains(connections) && (1...Self.largest).contains(burst)
            && (1...family.bits).contains(prefixLength)
            && UInt64(burst) * UInt64(period.rawValue) <= UInt64(connections) * 864_000
    }
}

/// A `SourceRate` as the packet path reads it. Times are in 1/65,536 ticks (61 ns).
public struct SourceLimit: BitwiseCopyable, Sendable {
    /// From one connection to the next; 0: no limit.
    public var interval: UInt64
    /// How far a source may be ahead of that.
    public var tolerance: UInt64
    /// Bits of an address that make one source.
    public var prefixLength: UInt8

    /// Of a service.
    init(_ rate: SourceRate?) {
        guard let rate else {
            interval = 0
            tolerance = 0
            prefixLength = 0
            return
        }
        let period = UInt64(rate.period.rawValue) * UInt64(Ticks.perSecond) << 16
        interval = period / UInt64(rate.connections)
        // From the exact quotient, so that a large burst is not short of what rounding takes from the interval.
        tolerance = period * UInt64(rate.burst - 1) / UInt64(rate.connections)
        prefixLength = UInt8(truncatingIfNeeded: rate.prefixLength)
    }
}
