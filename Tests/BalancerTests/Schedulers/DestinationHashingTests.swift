import TestSupport
import Testing
import Wire

@testable import Balancer

/// 256 slots, one a server in turn, by the address that the client spoke to.
private struct DestinationHashingModel: SchedulerModel {
    init(flags: SchedulerFlags) {}

    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer? {
        guard !servers.isEmpty else { return nil }
        let hash = Int((UInt64(numberOf(request.virtual)) * 0x61c8_8647 & 0xffff_ffff) >> 24)
        let server = servers[hash % servers.count]
        return server.isUsable ? server : nil
    }
}

@Suite struct DestinationHashingTests {
    /// Its flags are sh's and mean nothing here.
    @Test(arguments: [[], [.fallback, .port]] as [SchedulerFlags], 1...3 as ClosedRange<UInt64>)
    func picksWhatTheModelPicks(flags: SchedulerFlags, seed: UInt64) {
        ModelComparison<DestinationHashingModel>(.dh, flags: flags, seed: seed).run(steps: TestScale.count(3000))
    }

    @Test func anAddressKeepsItsServerWhoeverAsks() {
        let bed = SchedulerBed(.dh)
        for last in 1...4 { bed.add(.server(UInt32(last)), weight: Int32(last)) }
        let first = bed.pick()
        #expect(first != nil)
        #expect((0..<200).allSatisfy { bed.pick(client: IPAddress(v4: $0)) == first })
    }
}
