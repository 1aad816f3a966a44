import TestSupport
import Testing

@testable import Balancer

@Suite struct RateEstimatorTests {
    /// The formula of the kernel (`ip_vs_est.c`): every 2 s avg += (sample - avg) / 4, connections and packets in units of
    /// 2^-10 a second, bytes of 2^-5; shown rounded.
    @Test func agreesWithTheKernelsFormula() {
        var random = SeededRandom(seed: 42)
        var traffic = FoldedTraffic()
        var total = TrafficCounters()
        var packets: Int64 = 0
        var bytes: Int64 = 0
        for step in 0..<500 {
            let newPackets = step % 50 < 25 ? UInt64.random(in: 0...100_000, using: &random) : 0
            let newBytes = newPackets * UInt64.random(in: 40...65_535, using: &random)
            total.inPackets += newPackets
            total.inBytes += newBytes
            total.outPackets += newPackets
            total.outBytes += newBytes
            total.connections += newPackets
            traffic.fold(total)
            packets += (Int64(newPackets) << 9 - packets) >> 2
            bytes += (Int64(newBytes) << 4 - bytes) >> 2
            let shown = (UInt64((packets + 0x1ff) >> 10), UInt64((bytes + 0xf) >> 5))
            #expect(
                traffic.rates
                    == TrafficCounters(
                        connections: shown.0, inPackets: shown.0, outPackets: shown.0, inBytes: shown.1,
                        outBytes: shown.1), "fold \(step), seed 42")
            #expect(traffic.counters == total)
        }
    }

    @Test func aSteadyRateIsReached() {
        var traffic = FoldedTraffic()
        var total = TrafficCounters()
        for _ in 0..<60 {
            total.inPackets += 2000
            total.inBytes += 2000 * 1000
            traffic.fold(total)
        }
        #expect(traffic.rates.inPackets == 1000 && traffic.rates.inBytes == 1_000_000)
        for _ in 0..<60 { traffic.fold(total) }
        #expect(traffic.rates == TrafficCounters())
    }

    @Test func zeroForgetsCountersAndRates() {
        var traffic = FoldedTraffic()
        traffic.fold(TrafficCounters(inPackets: 500, inBytes: 9000))
        #expect(traffic.rates.inPackets > 0)
        traffic.zero()
        #expect(traffic.counters == TrafficCounters() && traffic.rates == TrafficCounters())
        traffic.fold(TrafficCounters(inPackets: 507, inBytes: 9100))
        #expect(traffic.counters == TrafficCounters(inPackets: 7, inBytes: 100))
    }
}
