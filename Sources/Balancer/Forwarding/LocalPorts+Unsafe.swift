public import Synchronization
public import Wire

/// What workers read of a local address: its rings, a pointer for each transport, and a counter.
@usableFromInline
struct LocalAddressCell: ~Copyable {
    @usableFromInline let address: IPAddress
    /// Whether the host has the address too, so that only ports from `LocalPortRing.firstPortBesideHost` on are ours.
    @usableFromInline let isOfHost: Bool
    /// Rings of TCP, UDP and SCTP; 0: no service of that transport has the address.
    @usableFromInline let tcp = Atomic<UInt>(0)
    @usableFromInline let udp = Atomic<UInt>(0)
    @usableFromInline let sctp = Atomic<UInt>(0)
    /// Connections that found no port free here.
    @usableFromInline let exhausted = Atomic<UInt64>(0)

    init(_ address: IPAddress, isOfHost: Bool) {
        self.address = address
        self.isOfHost = isOfHost
    }
}

/// The packet path's sight of a local address; valid as long as the snapshot it was found in.
@safe
public struct LocalAddressReference {
    let cell: UnsafeMutablePointer<LocalAddressCell>
    init(_ cell: UnsafeMutablePointer<LocalAddressCell>) { unsafe self.cell = cell }

    /// The address.
    public var address: IPAddress { unsafe cell.pointee.address }

    /// Whether packets to a port of it are ours: every port's, or of an address that the host has too those of the upper
    /// range.
    public func owns(port: UInt16) -> Bool {
        unsafe !cell.pointee.isOfHost || port >= LocalPortRing.firstPortBesideHost
    }

    /// A free port of it; nil, and counted, when all are used up or no service of that transport has the address.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func take(transportProtocol: UInt8) -> LocalEndpoint? {
        guard let ring = ring(transportProtocol) else { return nil }
        if let port = ring.take() { return LocalEndpoint(address: address, port: port) }
        countExhausted()
        return nil
    }

    /// Its free ports for a transport protocol; nil where no service uses it.
    public func ring(_ transportProtocol: UInt8) -> LocalPortRing? {
        let bits: UInt
        switch transportProtocol {
        case IPProtocol.tcp: bits = unsafe cell.pointee.tcp.load(ordering: .acquiring)
        case IPProtocol.udp: bits = unsafe cell.pointee.udp.load(ordering: .acquiring)
        case IPProtocol.sctp: bits = unsafe cell.pointee.sctp.load(ordering: .acquiring)
        default: return nil
        }
        guard let pointer = unsafe UnsafeMutablePointer<LocalPortShared>(bitPattern: bits) else { return nil }
        return unsafe LocalPortRing(pointer)
    }

    /// A connection found no port free here.
    func countExhausted() { unsafe _ = cell.pointee.exhausted.wrappingAdd(1, ordering: .relaxed) }
}

/// Owns the memory of a ring.
@safe
final class LocalPortMemory: @unchecked Sendable {
    let ring: LocalPortRing
    private let provider: MemoryProvider
    private let block: UnsafeMutableRawBufferPointer

    init(_ provider: MemoryProvider, from first: UInt16 = LocalPortRing.firstPort) {
        self.provider = provider
        unsafe block = provider.allocate(LocalPortRing.bytes)
        unsafe ring = LocalPortRing(formatting: block, from: first)
    }

    deinit { unsafe provider.release(block) }
}

/// Owns a local address's ports. All services that list the address share one; it lives until no rule, snapshot or entry
/// needs it. Changed by the control thread.
@safe
final class LocalAddress: @unchecked Sendable {
    let address: IPAddress
    /// Whether the host had the address too when a service first listed it.
    let isOfHost: Bool
    let cell: UnsafeMutablePointer<LocalAddressCell>
    private let provider: MemoryProvider
    private var rings: [LocalPortMemory] = []
    /// The epoch when the last service let it go; nil while one lists it.
    var unlisted: UInt64?
    /// Whether its packets are ours: a service lists it, or an entry uses a port of it. As the last snapshot has it.
    var isOwned = true

    init(_ address: IPAddress, isOfHost: Bool = false, provider: MemoryProvider) {
        self.address = address
        self.isOfHost = isOfHost
        self.provider = provider
        unsafe cell = .allocate(capacity: 1)
        unsafe cell.initialize(to: LocalAddressCell(address, isOfHost: isOfHost))
    }

    deinit {
        unsafe cell.deinitialize(count: 1)
        unsafe cell.deallocate()
    }

    var reference: LocalAddressReference { unsafe LocalAddressReference(cell) }

    /// Have ports for a transport protocol; 0 (a fwmark service): for all.
    func prepare(_ transportProtocol: UInt8) {
        switch transportProtocol {
        case IPProtocol.tcp: unsafe make(cell.pointee.tcp)
        case IPProtocol.udp: unsafe make(cell.pointee.udp)
        case IPProtocol.sctp: unsafe make(cell.pointee.sctp)
        default: for transport in Transport.allCases { prepare(transport.rawValue) }
        }
    }

    private func make(_ word: borrowing Atomic<UInt>) {
        guard word.load(ordering: .relaxed) == 0 else { return }
        let memory = LocalPortMemory(
            provider, from: isOfHost ? LocalPortRing.firstPortBesideHost : LocalPortRing.firstPort)
        rings.append(memory)
        unsafe word.store(UInt(bitPattern: memory.ring.shared), ordering: .releasing)
    }

    /// Ports in use, of all transports.
    var inUse: Int { Transport.allCases.reduce(0) { $0 + (reference.ring($1.rawValue)?.inUse ?? 0) } }
    /// Ports of all transports that services use it for, in use or not.
    var ports: Int { Transport.allCases.count { reference.ring($0.rawValue) != nil } * LocalPortRing.ports }
    /// Connections that found no port free here.
    var exhausted: UInt64 { unsafe cell.pointee.exhausted.load(ordering: .relaxed) }
}

/// A local address and a port of it.
public struct LocalEndpoint: Sendable, BitwiseCopyable {
    /// The address.
    public var address: IPAddress
    /// The port; 0: none.
    public var port: UInt16

    /// From both.
    @inlinable @inline(__always)
    public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// Owns what workers read of one service's local addresses. Immutable but for its cursor; made anew when the list changes.
@safe
final class LocalPool: @unchecked Sendable {
    let addresses: [LocalAddress]
    private let cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>>
    private let cursor: UnsafeMutablePointer<Atomic<UInt32>>

    init(_ addresses: [LocalAddress]) {
        self.addresses = addresses
        unsafe cells = .allocate(capacity: max(addresses.count, 1))
        for (place, address) in addresses.enumerated() { unsafe (cells + place).initialize(to: address.cell) }
        unsafe cursor = .allocate(capacity: 1)
        unsafe cursor.initialize(to: Atomic(0))
    }

    deinit {
        unsafe cells.deallocate()
        unsafe cursor.deinitialize(count: 1)
        unsafe cursor.deallocate()
    }

    var reference: LocalPoolReference {
        unsafe LocalPoolReference(
            cells, cursor, addresses.count, hasHostAddresses: addresses.contains(where: \.isOfHost))
    }
}

/// The packet path's sight of a service's local addresses; valid as long as its snapshot.
@safe
public struct LocalPoolReference {
    let cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>>
    let cursor: UnsafeMutablePointer<Atomic<UInt32>>
    let count: Int
    /// Whether the host has some of the addresses too.
    public let hasHostAddresses: Bool

    init(
        _ cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>>,
        _ cursor: UnsafeMutablePointer<Atomic<UInt32>>, _ count: Int, hasHostAddresses: Bool
    ) {
        unsafe self.cells = cells
        unsafe self.cursor = cursor
        self.count = count
        self.hasHostAddresses = hasHostAddresses
    }

    /// The pool's local address `address`; nil when it is none.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func find(_ address: IPAddress) -> LocalAddressReference? {
        var place = 0
        while place < count {
            let local = unsafe LocalAddressReference(cells[place])
            if local.address == address { return local }
            place &+= 1
        }
        return nil
    }

    /// A free port of one of the addresses of a family, round robin; of the next address where one has none left. Nil, and
    /// counted at each address, when all are used up.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func take(isV4: Bool, transportProtocol: UInt8) -> LocalEndpoint? {
        guard count > 0 else { return nil }
        let start = Int(unsafe cursor.pointee.wrappingAdd(1, ordering: .relaxed).oldValue)
        var tried = 0
        while tried < count {
            let local = unsafe LocalAddressReference(cells[(start &+ tried) % count])
            tried &+= 1
            guard local.address.isV4 == isV4, let ring = local.ring(transportProtocol) else { continue }
            if let port = ring.take() { return LocalEndpoint(address: local.address, port: port) }
            local.countExhausted()
        }
        return nil
    }
}

/// Owns a snapshot of every local address that a service lists or an entry uses, by address. Open addressing.
@safe
final class LocalDirectory: @unchecked Sendable {
    let addresses: [LocalAddress]
    private let cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>?>
    private let mask: Int

    init(_ addresses: [LocalAddress]) {
        self.addresses = addresses
        var size = 4
        while size < addresses.count * 2 + 2 { size *= 2 }
        mask = size - 1
        unsafe cells = .allocate(capacity: size)
        unsafe cells.initialize(repeating: nil, count: size)
        for address in addresses {
            var place = Int(truncatingIfNeeded: ServiceLookupKey.hash(address.address)) & mask
            while unsafe cells[place] != nil { place = (place + 1) & mask }
            unsafe cells[place] = address.cell
        }
    }

    deinit { unsafe cells.deallocate() }

    var reference: LocalDirectoryReference { unsafe LocalDirectoryReference(cells, mask) }
}

/// The packet path's sight of every local address; valid as long as its snapshot.
@safe
public struct LocalDirectoryReference {
    let cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>?>
    let mask: Int

    init(_ cells: UnsafeMutablePointer<UnsafeMutablePointer<LocalAddressCell>?>, _ mask: Int) {
        unsafe self.cells = cells
        self.mask = mask
    }

    /// The local address `address`; nil when it is none.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func find(_ address: IPAddress) -> LocalAddressReference? {
        var place = Int(truncatingIfNeeded: ServiceLookupKey.hash(address)) & mask
        while let cell = unsafe cells[place] {
            if unsafe cell.pointee.address == address { return unsafe LocalAddressReference(cell) }
            place = (place &+ 1) & mask
        }
        return nil
    }

    /// A port that `LocalPoolReference.take` gave is free again.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func giveBack(_ local: LocalEndpoint, transportProtocol: UInt8) {
        guard local.port != 0, let ring = find(local.address)?.ring(transportProtocol) else { return }
        ring.giveBack(local.port)
    }
}
