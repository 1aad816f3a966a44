import Synchronization
import Testing

@testable import Balancer

@Suite struct SchedulerMemoryTests {
    /// A block of a service keeps the memory that it names; the last one gone frees it.
    @Test func livesAsLongAsABlockThatNamesIt() {
        let released = Mutex(0)
        let heap = MemoryProvider.heap
        let provider = MemoryProvider(
            allocate: { heap.allocate($0, isPrefaulted: $1) },
            release: { block in
                released.withLock { $0 += 1 }
                heap.release(block)
            })
        var memory = SchedulerKind.lblcr.makeMemory(provider)
        #expect(memory != nil)
        let service = VirtualService(key: .mark(7, family: .v4), scheduler: .lblcr)
        var block: ServiceBlock? = ServiceBlock(
            ServiceRecord(service, slot: 0), destinations: [], table: [], memory: memory)
        memory = nil
        #expect(block.map { $0.record.pointee.localityMap?.count } == 0)
        #expect(released.withLock { $0 } == 0)
        block = nil
        #expect(released.withLock { $0 } == 1)
    }

    @Test func onlyLocalitySchedulersHaveOne() {
        for kind in SchedulerKind.allCases {
            #expect((kind.makeMemory(.heap) != nil) == [.lblc, .lblcr].contains(kind))
        }
    }
}
