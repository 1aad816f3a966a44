public import Wire

/// A destination as the packet path sees it; 48 bytes.
public struct DestinationRecord: BitwiseCopyable {
    /// Address.
    public var address: IPAddress
    /// Port; 0 keeps the packet's.
    public var port: UInt16
    /// How packets reach it.
    public var method: ForwardingMethod
    /// Kind of tunnel.
    public var tunnelKind: TunnelKind
    /// GUE port.
    public var tunnelPort: UInt16
    /// Outer checksum.
    public var tunnelChecksum: TunnelChecksum
    /// Slot of its state.
    public var slot: UInt32
    /// Weight when the snapshot was made; `DestinationState.weight` is the one in force.
    public var weight: Int32
    /// The last weight that was not 0 (mh).
    public var lastWeight: Int32
}

/// A service as the packet path sees it, its destinations behind it in memory, newest first.
@safe
public struct ServiceRecord {
    /// Virtual address (of a fwmark service: unspecified).
    public var address: IPAddress
    /// Virtual port; 0: every port.
    public var port: UInt16
    /// `IPProtocol`; 0 for a fwmark service.
    public var transportProtocol: UInt8
    /// The mark; 0: none.
    public var mark: UInt32
    /// Slot of its state and counters.
    public var slot: UInt32
    /// How destinations are chosen.
    public var scheduler: SchedulerKind
    /// Flags of the scheduler.
    public var schedulerFlags: UInt8
    /// Every datagram is scheduled anew.
    public var isOnePacket: Bool
    /// Whether it is persistent.
    public var isPersistent: Bool
    /// Life of a template in seconds.
    public var persistenceTimeout: UInt32
    /// Bits of the client's address that count for persistence.
    public var prefixLength: UInt8
    /// What each source may open; `interval` 0: no limit.
    public var sourceLimit: SourceLimit
    /// Two numbers that the scheduler prepared when the snapshot was made (wrr: gcd and largest weight).
    public var schedulerNumbers: (Int32, Int32)
    /// Number of destinations.
    public var count: Int
    @usableFromInline var destinations: UnsafeMutablePointer<DestinationRecord>
    /// A table that the scheduler prepared (sh, dh, mh: places in `destinations`); `tableCount` values, 0xffff_ffff none.
    @usableFromInline var schedulerTable: UnsafeMutablePointer<UInt32>
    /// Values in the scheduler's table.
    public var tableCount: Int
    /// What lblc and lblcr remember (`SchedulerMemory.map`).
    var localityMap: LocalityMap? = nil
    /// The local addresses of FULLNAT; nil: none.
    public internal(set) var localPool: LocalPoolReference? = nil
    /// How FULLNAT destinations learn the client's address.
    public var clientAddress = ClientAddressCarrier.none
    /// Which connections to NAT destinations leave under a local address; nil: none.
    public var masquerade: MasqueradeRule? = nil

    /// Whether a new connection of `client` to a NAT destination leaves under a local address.
    @inlinable @inline(__always)
    public func masquerades(_ client: IPAddress, to destination: IPAddress) -> Bool {
        guard let masquerade, localPool != nil else { return false }
        return masquerade.includes(client, to: destination)
    }

    /// The destination at `place`.
    @inlinable @inline(__always)
    public func destination(_ place: Int) -> DestinationRecord {
        assert(place >= 0 && place < count)
        return unsafe destinations[place]
    }

    /// The value at `index` of the scheduler's table.
    @inlinable @inline(__always)
    public func tableValue(_ index: Int) -> UInt32 {
        assert(index >= 0 && index < tableCount)
        return unsafe schedulerTable[index]
    }

    /// The place of the destination with state `slot`; nil when it is not of this service (any more).
    @inlinable
    public func place(of slot: UInt32, _ slots: StateSlots) -> Int? {
        let hint = Int(slots.destination(slot).place)
        if hint < count, unsafe destinations[hint].slot == slot { return hint }
        for place in 0..<count where unsafe destinations[place].slot == slot { return place }
        return nil
    }
}

/// Owns a service's record. Shared by the snapshots in which the service is the same.
@safe
final class ServiceBlock: @unchecked Sendable {
    let record: UnsafeMutablePointer<ServiceRecord>
    /// Kept for as long as a worker may read a record that names them.
    private let memory: SchedulerMemory?
    private let pool: LocalPool?

    init(
        _ record: ServiceRecord, destinations: [DestinationRecord], table: [UInt32], memory: SchedulerMemory? = nil,
        pool: LocalPool? = nil
    ) {
        self.memory = memory
        self.pool = pool
        let list = UnsafeMutablePointer<DestinationRecord>.allocate(capacity: max(destinations.count, 1))
        let values = UnsafeMutablePointer<UInt32>.allocate(capacity: max(table.count, 1))
        for (place, destination) in destinations.enumerated() { unsafe (list + place).initialize(to: destination) }
        for (index, value) in table.enumerated() { unsafe (values + index).initialize(to: value) }
        unsafe self.record = .allocate(capacity: 1)
        var record = record
        unsafe record.destinations = list
        unsafe record.schedulerTable = values
        record.count = destinations.count
        record.tableCount = table.count
        record.localityMap = memory?.map
        record.localPool = pool?.reference
        unsafe self.record.initialize(to: record)
    }

    deinit {
        unsafe record.pointee.destinations.deallocate()
        unsafe record.pointee.schedulerTable.deallocate()
        unsafe record.deallocate()
    }
}

/// Every service, as the packet path sees it: an immutable snapshot. The control side keeps a published table alive until
/// every worker has passed a quiescent point since its successor was published.
@safe
public final class ServiceTable: @unchecked Sendable {
    let blocks: [ServiceBlock]
    let records: UnsafeMutablePointer<UnsafeMutablePointer<ServiceRecord>>
    /// Open addressing: number of a record plus one; 0: empty.
    let index: UnsafeMutablePointer<UInt32>
    let mask: Int
    let addresses: UnsafeMutablePointer<IPAddress>
    let addressMask: Int
    /// A bit for each of some classes of addresses, eight at least for each address that is owned: whether one of the class
    /// is.
    let addressClasses: UnsafeMutablePointer<UInt64>
    /// Whether the virtual addresses of services are among these.
    let ownsVirtualAddresses: Bool
    /// The real servers for NAT, shared with other snapshots.
    let servers: ServerDirectory
    /// Rules that mark packets, in order.
    let markRules: UnsafeMutablePointer<MarkRule>
    let markCount: Int
    let hasMarks: Bool
    let hasAnyPort: Bool
    let countV4: Int
    let countV6: Int
    /// Every local address in use.
    let locals: LocalDirectory
    let hostPool: LocalPool?
    let ownServerPool: LocalPool?

    /// A snapshot of `blocks`, whose real servers `servers` has, with the local addresses that they or entries use;
    /// `markedAddresses` are what mark rules make ours. Without `ownsAddresses` none of all these addresses is.
    init(
        _ blocks: [ServiceBlock], servers: ServerDirectory, locals: [LocalAddress] = [], hostPool: LocalPool? = nil,
        ownServerPool: LocalPool? = nil,
        markRules: [MarkRule] = [],
        markedAddresses: [IPAddress] = [],
        ownsAddresses: Bool = true
    ) {
        self.blocks = blocks
        self.locals = LocalDirectory(locals)
        self.hostPool = hostPool
        self.ownServerPool = ownServerPool
        unsafe records = .allocate(capacity: max(blocks.count, 1))
        var size = 16
        while size < blocks.count * 2 + 2 { size *= 2 }
        mask = size - 1
        unsafe index = .allocate(capacity: size)
        unsafe index.initialize(repeating: 0, count: size)
        let ours = locals.filter(\.isOwned)
        let whole = ours.filter { !$0.isOfHost }.map(\.address)
        ownsVirtualAddresses = ownsAddresses
        let owned = unsafe Self.addresses(of: ownsAddresses ? blocks : [], ownsAddresses ? whole + markedAddresses : [])
        unsafe addresses = owned.memory
        addressMask = unsafe owned.mask
        unsafe addressClasses = Self.classes(of: addresses, mask: addressMask)
        var marks = false
        var anyPort = false
        var v4 = 0
        for (number, block) in blocks.enumerated() {
            let record = unsafe block.record.pointee
            unsafe (records + number).initialize(to: block.record)
            let key = record.lookupKey
            var place = Int(truncatingIfNeeded: key.hash) & mask
            while unsafe index[place] != 0 { place = (place + 1) & mask }
            unsafe index[place] = UInt32(number + 1)
            marks = marks || record.mark != 0
            anyPort = anyPort || record.mark == 0 && record.port == 0
            if record.address.isV4 { v4 += 1 }
        }
        hasMarks = marks
        hasAnyPort = anyPort
        let localV4 = ours.count { $0.address.isV4 }
        countV4 = v4 + localV4
        countV6 = blocks.count - v4 + ours.count - localV4
        self.servers = servers
        markCount = markRules.count
        unsafe self.markRules = .allocate(capacity: max(markRules.count, 1))
        for (place, rule) in markRules.enumerated() { unsafe (self.markRules + place).initialize(to: rule) }
    }

    /// Virtual, local and marked addresses in an open-addressing hash; `::` is an empty place.
    private static func addresses(
        of blocks: [ServiceBlock], _ others: [IPAddress]
    ) -> (memory: UnsafeMutablePointer<IPAddress>, mask: Int) {
        var size = 16
        while size < (blocks.count + others.count) * 2 + 2 { size *= 2 }
        let mask = size - 1
        let memory = UnsafeMutablePointer<IPAddress>.allocate(capacity: size)
        unsafe memory.initialize(repeating: .anyV6, count: size)
        func insert(_ address: IPAddress) {
            var home = Int(truncatingIfNeeded: ServiceLookupKey.hash(address)) & mask
            while unsafe memory[home] != .anyV6 && memory[home] != address { home = (home + 1) & mask }
            unsafe memory[home] = address
        }
        for block in blocks {
            let record = unsafe block.record.pointee
            if record.mark == 0 { insert(record.address) }
        }
        for address in others { insert(address) }
        return unsafe (memory, mask)
    }

    /// The filter in front of `addresses`.
    private static func classes(
        of addresses: UnsafeMutablePointer<IPAddress>, mask: Int
    ) -> UnsafeMutablePointer<UInt64> {
        let words = (mask + 1) / ServiceLookupKey.addressesAWord
        let memory = UnsafeMutablePointer<UInt64>.allocate(capacity: words)
        unsafe memory.initialize(repeating: 0, count: words)
        for place in 0...mask where unsafe addresses[place] != .anyV6 {
            let number = unsafe ServiceLookupKey.addressClass(ServiceLookupKey.hash(addresses[place]), mask: mask)
            unsafe memory[number >> 6] |= 1 << UInt64(number & 63)
        }
        return unsafe memory
    }

    deinit {
        unsafe addressClasses.deallocate()
        unsafe records.deallocate()
        unsafe index.deallocate()
        unsafe addresses.deallocate()
        unsafe markRules.deallocate()
    }

    /// What the packet path reads.
    public var view: ServiceTableView { ServiceTableView(self) }
}

/// What a service is looked up by.
@usableFromInline
struct ServiceLookupKey: Equatable {
    @usableFromInline var address: IPAddress
    @usableFromInline var port: UInt16
    @usableFromInline var transportProtocol: UInt8
    @usableFromInline var mark: UInt32

    @inlinable @inline(__always)
    init(address: IPAddress, port: UInt16, transportProtocol: UInt8, mark: UInt32) {
        self.address = address
        self.port = port
        self.transportProtocol = transportProtocol
        self.mark = mark
    }

    @inlinable @inline(__always)
    static func hash(_ address: IPAddress) -> UInt64 {
        let mixed = (address.high ^ address.low) &* 0x9e37_79b9_7f4a_7c15
        return mixed ^ mixed >> 29
    }

    /// Places of the table of addresses for each word of its filter: four classes a place.
    static let addressesAWord = 16

    /// The class of an address by its hash, in a filter before a table of `mask + 1` places.
    @inlinable @inline(__always)
    static func addressClass(_ hash: UInt64, mask: Int) -> Int {
        Int(truncatingIfNeeded: hash &>> 36) & (mask &<< 2 | 3)
    }

    @inlinable @inline(__always)
    var hash: UInt64 {
        let word = UInt64(port) << 40 | UInt64(transportProtocol) << 32 | UInt64(mark)
        let mixed = (Self.hash(address) ^ word) &* 0xbf58_476d_1ce4_e5b9
        return mixed ^ mixed >> 31
    }
}

extension ServiceRecord {
    @usableFromInline
    var lookupKey: ServiceLookupKey {
        ServiceLookupKey(address: address, port: port, transportProtocol: transportProtocol, mark: mark)
    }
}

extension ServiceRecord {
    /// The record of `service` without destinations.
    init(_ service: VirtualService, slot: UInt32) {
        switch service.key {
        case .address(let transportProtocol, let address, let port):
            self.address = address
            self.port = port
            self.transportProtocol = transportProtocol
            mark = 0
        case .mark(let mark, let family):
            address = family == .v4 ? .anyV4 : .anyV6
            port = 0
            transportProtocol = 0
            self.mark = mark
        }
        self.slot = slot
        scheduler = service.scheduler
        schedulerFlags = service.schedulerFlags.rawValue
        isOnePacket = service.isOnePacket
        isPersistent = service.persistence != nil
        persistenceTimeout = service.persistence?.timeout ?? 0
        prefixLength = UInt8(truncatingIfNeeded: service.prefixLength)
        clientAddress = service.clientAddress
        sourceLimit = SourceLimit(service.sourceRate)
        masquerade = service.masquerade
        schedulerNumbers = (0, 0)
        count = 0
        tableCount = 0
        // Replaced by ServiceBlock; never read while the counts are 0.
        unsafe destinations = UnsafeMutablePointer(bitPattern: 8).unsafelyUnwrapped
        unsafe schedulerTable = UnsafeMutablePointer(bitPattern: 8).unsafelyUnwrapped
    }
}
