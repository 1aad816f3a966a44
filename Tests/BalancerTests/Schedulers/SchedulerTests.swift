import Testing

@testable import Balancer

@Suite struct SchedulerTests {
    @Test func namesAreIpvsadms() {
        let kernels = "rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos".split(separator: " ")
        for name in kernels {
            let kind = SchedulerKind(name: name)
            #expect(kind?.name == String(name))
            #expect(kind?.isBeyondKernel == false)
        }
        #expect(SchedulerKind.allCases.count { !$0.isBeyondKernel } == kernels.count)
        #expect(SchedulerKind(name: "nosuch") == nil)
        #expect(SchedulerKind(name: "RR") == nil)
    }

    @Test func everyOneHasTitleAndSummary() {
        for kind in SchedulerKind.allCases {
            #expect(!kind.title.isEmpty && !kind.summary.isEmpty && !kind.summary.hasSuffix("."))
        }
        #expect(Set(SchedulerKind.allCases.map(\.title)).count == SchedulerKind.allCases.count)
    }

    @Test func onlyMaglevTakesASize() {
        for kind in SchedulerKind.allCases { #expect(kind.tableSizes.isEmpty == (kind != .maglev)) }
        #expect(SchedulerKind.maglev.tableSizes.first == 251)
        #expect(SchedulerKind.maglev.tableSizes.last == 131_071)
    }

    /// No scheduler traps or picks on a service without destinations, or with none usable.
    @Test(arguments: SchedulerKind.allCases)
    func emptyAndUnusable(kind: SchedulerKind) {
        let bed = SchedulerBed(kind, flags: [.fallback, .port])
        #expect(bed.pick() == nil)
        bed.add(.server(1), weight: 0)
        bed.add(.server(2))
        bed.setOverloaded(0, true)
        #expect(bed.pick() == nil)
        bed.setOverloaded(0, false)
        bed.edit(1, weight: 1)
        #expect(bed.pick() != nil)
        bed.remove(0)
        bed.remove(0)
        #expect(bed.pick() == nil)
    }

    /// Two workers at once, every scheduler: each pick is a destination of the list.
    @Test(arguments: SchedulerKind.allCases)
    func workersPickAtOnce(kind: SchedulerKind) {
        let bed = SchedulerBed(kind)
        for last in 1...5 { bed.add(.server(UInt32(last)), weight: Int32(last)) }
        #expect(picksOfWorkers(bed, workers: 2, picksEach: 2000).reduce(0, +) == 4000)
    }
}
