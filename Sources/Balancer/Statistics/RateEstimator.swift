/// Counters of a service or destination as listings show them: folded in every two seconds, zeroed by remembering, and
/// the rates estimated from them (`net/netfilter/ipvs/ip_vs_est.c`).
///
/// A rate moves a quarter of the way to the last two seconds' at each fold. Connections and packets are kept in units of
/// 2^-10 a second, bytes in units of 2^-5.
struct FoldedTraffic: Sendable {
    private var folded = TrafficCounters()
    private var zeroed = TrafficCounters()
    private var average = TrafficCounters()

    /// Seconds between folds.
    static let interval = 2

    /// Take in the totals of now.
    mutating func fold(_ total: TrafficCounters) {
        let change = total - folded
        folded = total
        func move(_ average: inout UInt64, _ change: UInt64, _ shift: UInt64) {
            let sample = Int64(bitPattern: change << shift)
            let old = Int64(bitPattern: average)
            average = UInt64(bitPattern: old &+ (sample &- old) >> 2)
        }
        move(&average.connections, change.connections, 9)
        move(&average.inPackets, change.inPackets, 9)
        move(&average.outPackets, change.outPackets, 9)
        move(&average.inBytes, change.inBytes, 4)
        move(&average.outBytes, change.outBytes, 4)
    }

    /// Forget what was folded in so far; what came since reappears at the next fold, as in the kernel.
    mutating func zero() {
        zeroed = folded
        average = TrafficCounters()
    }

    /// The counters to list.
    var counters: TrafficCounters { folded - zeroed }

    /// The rates to list.
    var rates: TrafficCounters {
        TrafficCounters(
            connections: (average.connections &+ 0x1ff) >> 10, inPackets: (average.inPackets &+ 0x1ff) >> 10,
            outPackets: (average.outPackets &+ 0x1ff) >> 10, inBytes: (average.inBytes &+ 0xf) >> 5,
            outBytes: (average.outBytes &+ 0xf) >> 5)
    }
}
