public import Synchronization

/// The real servers for NAT of all services, asked for every packet that comes from one and has no entry.
///
/// Snapshots of the rules share one, since with tens of thousands of real servers a new one for each change would cost more
/// than the change. The control side adds and removes in place while workers look: a key is written once, before its number
/// is published in `places` (release; workers load with acquire), and neither key nor number is used for another server
/// later. So a worker finds what its snapshot knows, and for the time of one publication may also find what the next one
/// knows, or miss what that one lacks. When the numbers are used up, the owner makes a new directory.
@safe
final class ServerDirectory: @unchecked Sendable {
    /// Open addressing: number of a key plus one, `ServerDirectoryReference.empty` or `.removed`.
    private let places: UnsafeMutablePointer<Atomic<UInt32>>
    private let mask: Int
    private let keys: UnsafeMutablePointer<ServiceLookupKey>
    /// Destinations with the key of each number. Control side.
    private let uses: UnsafeMutablePointer<UInt32>
    private let capacity: Int
    private var numbers = 0
    /// Keys of fwmark services' destinations, which have no protocol.
    private var marked = 0

    /// A directory with room for so many real servers, and for some more.
    init(room: Int) {
        capacity = room + room / 4 + 64
        var size = 128
        while size < capacity * 2 { size *= 2 }
        mask = size - 1
        unsafe places = .allocate(capacity: size)
        for place in 0..<size { unsafe (places + place).initialize(to: Atomic(ServerDirectoryReference.empty)) }
        unsafe keys = .allocate(capacity: capacity)
        unsafe uses = .allocate(capacity: capacity)
    }

    deinit {
        unsafe places.deallocate()
        unsafe keys.deallocate()
        unsafe uses.deallocate()
    }

    /// Whether so many real servers would leave most of it empty.
    func isTooLarge(for count: Int) -> Bool { capacity > 1024 && count < capacity / 8 }

    /// What the packet path asks.
    var reference: ServerDirectoryReference {
        unsafe ServerDirectoryReference(places: places, mask: mask, keys: keys, hasMarked: marked > 0)
    }

    /// Add the real servers of a service.
    /// - Returns: false when there is no room; some of them may have been added.
    func add(_ block: ServiceBlock) -> Bool {
        for key in block.serverKeys where !add(key) { return false }
        return true
    }

    /// Remove the real servers of a service that was added.
    func remove(_ block: ServiceBlock) {
        for key in block.serverKeys { remove(key) }
    }

    /// The place of a key and its number, or the place where it would be added. Some places are always empty.
    private func find(_ key: ServiceLookupKey) -> (place: Int, number: Int?) {
        var place = Int(truncatingIfNeeded: key.hash) & mask
        while true {
            let value = unsafe places[place].load(ordering: .relaxed)
            if value == ServerDirectoryReference.empty { return (place, nil) }
            if value != ServerDirectoryReference.removed, unsafe keys[Int(value) - 1] == key {
                return (place, Int(value) - 1)
            }
            place = (place + 1) & mask
        }
    }

    private func add(_ key: ServiceLookupKey) -> Bool {
        let (place, number) = find(key)
        if let number {
            unsafe uses[number] += 1
        } else {
            guard numbers < capacity else { return false }
            unsafe (keys + numbers).initialize(to: key)
            unsafe (uses + numbers).initialize(to: 1)
            numbers += 1
            unsafe places[place].store(UInt32(numbers), ordering: .releasing)
        }
        if key.transportProtocol == 0 { marked += 1 }
        return true
    }

    private func remove(_ key: ServiceLookupKey) {
        let (place, found) = find(key)
        guard let number = found else { preconditionFailure("only what was added is removed") }
        unsafe uses[number] -= 1
        if unsafe uses[number] == 0 {
            unsafe places[place].store(ServerDirectoryReference.removed, ordering: .relaxed)
        }
        if key.transportProtocol == 0 { marked -= 1 }
    }
}

/// The packet path's sight of a `ServerDirectory`; valid until the worker's next quiescent point.
@safe
@usableFromInline
struct ServerDirectoryReference {
    @usableFromInline let places: UnsafeMutablePointer<Atomic<UInt32>>
    @usableFromInline let mask: Int
    @usableFromInline let keys: UnsafeMutablePointer<ServiceLookupKey>
    /// Whether fwmark services have real servers for NAT.
    @usableFromInline let hasMarked: Bool

    /// A place that was never used.
    @inlinable static var empty: UInt32 { 0 }
    /// A place whose real server is gone.
    @inlinable static var removed: UInt32 { .max }

    /// Whether there is a real server with this key.
    @inlinable
    func contains(_ key: ServiceLookupKey) -> Bool {
        var place = Int(truncatingIfNeeded: key.hash) & mask
        while true {
            let number = unsafe places[place].load(ordering: .acquiring)
            if number == Self.empty { return false }
            if number != Self.removed, unsafe keys[Int(number) &- 1] == key { return true }
            place = (place &+ 1) & mask
        }
    }
}

extension ServiceBlock {
    /// What the real servers for NAT are looked up by.
    fileprivate var serverKeys: some Sequence<ServiceLookupKey> {
        let record = unsafe record.pointee
        return (0..<record.count).lazy.filter { record.destination($0).method == .masquerading }.map { place in
            let destination = record.destination(place)
            return ServiceLookupKey(
                address: destination.address, port: destination.port, transportProtocol: record.transportProtocol,
                mark: 0)
        }
    }
}
