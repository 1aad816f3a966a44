public import Synchronization
public import Wire

/// What each source has used of its services' `SourceRate`s: a token bucket a source, in a table of fixed size that all
/// workers share. A handle; `SourceRateMemory` owns the memory.
///
/// A bucket is one word: 16 bits of the source's keyed hash above, 48 bits of time below. The time is when the source
/// would be back at a full bucket (the "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371 annex
/// A); it moves on by `interval` with each connection, and one that would be more than `tolerance` ahead of the clock is
/// refused. A word whose time has passed is a full bucket, as is no word at all.
///
/// A source has its word in one of the 8 places of a line, by compare-exchange. A full line gives up the word that is
/// least ahead: sources over their limit are the last to be forgotten. Two sources of a line share a bucket with
/// probability 2⁻¹⁶; a source has two for a moment if two workers see it for the first time at once. No order between
/// words is needed, so all accesses are relaxed.
@safe
public struct SourceRates {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let lines: UInt64
    @usableFromInline let secret: HashSecret

    init(_ words: UnsafeMutablePointer<Atomic<UInt64>>, lines: Int, secret: HashSecret) {
        unsafe self.words = words
        self.lines = UInt64(lines)
        self.secret = secret
    }

    /// Places of a line.
    static var ways: Int { 8 }
    private static var timeMask: UInt64 { 0xffff_ffff_ffff }

    /// How far `time` lies ahead of `now`, both 48 bits that wrap; negative: behind.
    private static func ahead(_ time: UInt64, of now: UInt64) -> Int64 {
        Int64(bitPattern: (time &- now) &<< 16) &>> 16
    }

    /// Whether a source may open one more connection of the service with slot `service`; if so it is counted.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func admit(_ source: IPAddress, service: UInt32, _ limit: SourceLimit, now: Tick) -> Bool {
        let hash = FlowKey(
            source: source.masked(Int(limit.prefixLength)), destination: source.isV4 ? .anyV4 : .anyV6,
            sourcePort: UInt16(truncatingIfNeeded: service >> 16), destinationPort: UInt16(truncatingIfNeeded: service),
            transportProtocol: .max
        ).hash(secret)
        let first = Int(truncatingIfNeeded: (hash >> 32 &* lines) >> 32) &* Self.ways
        let low = hash & 0xffff
        let tag = low == 0 ? 1 : low
        let clock = UInt64(now) &<< 16
        while true {
            var place = first
            var word: UInt64 = 0
            var least = Int64.max
            for way in first..<(first &+ Self.ways) {
                let value = unsafe words[way].load(ordering: .relaxed)
                if value >> 48 == tag {
                    place = way
                    word = value
                    least = max(0, Self.ahead(value, of: clock))
                    break
                }
                let ahead = value == 0 ? Int64.min : Self.ahead(value, of: clock)
                if ahead < least {
                    place = way
                    word = value
                    least = ahead
                }
            }
            var used: UInt64 = 0
            if word >> 48 == tag {
                used = UInt64(bitPattern: least)
                // Further ahead than the limit ever lets it come: from before the clock wrapped, or another limit.
                if used > limit.tolerance &+ limit.interval { used = 0 }
                guard used <= limit.tolerance else { return false }
            }
            let time = (clock &+ used &+ limit.interval) & Self.timeMask
            if unsafe words[place].compareExchange(expected: word, desired: tag &<< 48 | time, ordering: .relaxed)
                .exchanged
            {
                return true
            }
        }
    }
}

/// Owns the memory of `SourceRates`. Made before the workers start, freed after the last has ended.
@safe
final class SourceRateMemory: @unchecked Sendable {
    let rates: SourceRates
    private let provider: MemoryProvider
    private let block: UnsafeMutableRawBufferPointer

    /// Memory for `sources` sources at least; its pages are touched when a service with a limit is used.
    init(sources: Int, secret: HashSecret, provider: MemoryProvider) {
        let lines = max(1, (sources + SourceRates.ways - 1) / SourceRates.ways)
        self.provider = provider
        unsafe block = provider.allocate(lines * SourceRates.ways * 8, isPrefaulted: false)
        unsafe rates = SourceRates(
            block.baseAddress.unsafelyUnwrapped.bindMemory(
                to: Atomic<UInt64>.self, capacity: lines * SourceRates.ways),
            lines: lines, secret: secret)
    }

    deinit { unsafe provider.release(block) }
}
