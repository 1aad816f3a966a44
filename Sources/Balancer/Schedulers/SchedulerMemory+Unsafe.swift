/// Owns what a service's scheduler remembers beside its two words (lblc, lblcr). Control side: made when a service
/// begins to use such a scheduler, kept by it and by each `ServiceBlock` that names the map.
@safe
final class SchedulerMemory: @unchecked Sendable {
    /// What the service's record holds (`ServiceRecord.localityMap`).
    let map: LocalityMap
    private let provider: MemoryProvider
    private let block: UnsafeMutableRawBufferPointer

    /// Memory for so many destinations an address.
    init(members: Int, provider: MemoryProvider) {
        precondition(members > 0 && members <= LocalityEntry.capacity)
        self.provider = provider
        unsafe block = provider.allocate(LocalityMap.bytes(members: members))
        unsafe map = LocalityMap(block.baseAddress.unsafelyUnwrapped, members: members)
    }

    deinit { unsafe provider.release(block) }
}
