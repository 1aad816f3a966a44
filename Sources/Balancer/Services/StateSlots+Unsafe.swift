public import CPrefetch
public import Synchronization

/// Bits of a destination's state.
public struct DestinationFlags: Bits, Sendable {
    /// The bits.
    public var rawValue: UInt32
    /// From the bits.
    @inlinable @inline(__always)
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// The rules name it (kernel: `IP_VS_DEST_F_AVAILABLE`).
    @inlinable @inline(__always)
    public static var available: DestinationFlags { DestinationFlags(rawValue: 1) }
    /// At its upper threshold (kernel: `IP_VS_DEST_F_OVERLOAD`).
    @inlinable @inline(__always)
    public static var overloaded: DestinationFlags { DestinationFlags(rawValue: 2) }
    /// Being drained, or drained: no template leads to it, and a SYN of an old connection is scheduled anew.
    @inlinable @inline(__always)
    public static var draining: DestinationFlags { DestinationFlags(rawValue: 4) }
    /// The drain is over: connections are reset.
    @inlinable @inline(__always)
    public static var resetting: DestinationFlags { DestinationFlags(rawValue: 8) }
    /// The drain is over: entries end.
    @inlinable @inline(__always)
    public static var ending: DestinationFlags { DestinationFlags(rawValue: 16) }
    /// Both of these.
    @inlinable @inline(__always)
    public static var cutting: DestinationFlags { DestinationFlags(rawValue: 24) }
}

/// What decisions read of a destination, and connections change: a cache line. It outlives snapshots and, while entries
/// point to it, the rule that named it.
@usableFromInline
struct DestinationCell: ~Copyable {
    @usableFromInline let active = Atomic<Int32>(0)
    @usableFromInline let inactive = Atomic<Int32>(0)
    @usableFromInline let persistent = Atomic<Int32>(0)
    @usableFromInline let weight = Atomic<Int32>(0)
    @usableFromInline let upper = Atomic<UInt32>(0)
    @usableFromInline let lower = Atomic<UInt32>(0)
    @usableFromInline let flags = Atomic<UInt32>(0)
    /// Place in its service's list in the latest snapshot: a hint, to be checked.
    @usableFromInline let place = Atomic<UInt32>(0)
    /// Entries and templates that point here.
    @usableFromInline let references = Atomic<Int32>(0)
    @usableFromInline let serviceSlot = Atomic<UInt32>(0)
    /// `TunnelOptions`: kind in the low byte, checksum in the next, port above.
    @usableFromInline let tunnel = Atomic<UInt32>(0)
    /// Timeouts of the service's own, in ticks; 0: the setting's.
    @usableFromInline let tcpTimeout = Atomic<UInt32>(0)
    @usableFromInline let finTimeout = Atomic<UInt32>(0)
    @usableFromInline let udpTimeout = Atomic<UInt32>(0)
    @usableFromInline let pad0: UInt64 = 0
    @usableFromInline init() {}
}

/// What a service's scheduler remembers between picks: two words of its own, a cache line.
@usableFromInline
struct ServiceCell: ~Copyable {
    @usableFromInline let cursor = Atomic<UInt64>(0)
    @usableFromInline let second = Atomic<UInt64>(0)
    @usableFromInline let pad = (UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    @usableFromInline init() {}
}

/// The state of every destination and service, by slot. A handle; `StateMemory` owns the memory. Any thread.
@safe
public struct StateSlots: Sendable {
    @usableFromInline nonisolated(unsafe) let destinations: UnsafeMutablePointer<DestinationCell>
    @usableFromInline nonisolated(unsafe) let services: UnsafeMutablePointer<ServiceCell>

    init(
        _ destinations: UnsafeMutablePointer<DestinationCell>, _ services: UnsafeMutablePointer<ServiceCell>
    ) {
        unsafe self.destinations = destinations
        unsafe self.services = services
    }

    /// The state of a destination.
    @inlinable @inline(__always)
    public func destination(_ slot: UInt32) -> DestinationState {
        unsafe DestinationState(destinations + Int(slot))
    }

    /// Ask the cache for the state of a destination.
    @inlinable @inline(__always)
    public func prefetchDestination(_ slot: UInt32) { unsafe CPrefetch_line(destinations + Int(slot)) }

    /// The state of a service's scheduler.
    @inlinable @inline(__always)
    public func service(_ slot: UInt32) -> ServiceState { unsafe ServiceState(services + Int(slot)) }
}

/// A service's scheduler state: two atomic words whose meaning is the scheduler's.
@safe
public struct ServiceState {
    @usableFromInline let cell: UnsafeMutablePointer<ServiceCell>
    @inlinable @inline(__always)
    init(_ cell: UnsafeMutablePointer<ServiceCell>) { unsafe self.cell = cell }

    /// The first word.
    @inlinable @inline(__always)
    public var cursor: UInt64 {
        get { unsafe cell.pointee.cursor.load(ordering: .acquiring) }
        nonmutating set { unsafe cell.pointee.cursor.store(newValue, ordering: .releasing) }
    }
    /// Replace the first word if nobody else did meanwhile.
    @inlinable @inline(__always)
    public func exchangeCursor(_ old: UInt64, _ new: UInt64) -> Bool {
        unsafe cell.pointee.cursor.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
            .exchanged
    }
    /// The second word.
    @inlinable @inline(__always)
    public var second: UInt64 {
        get { unsafe cell.pointee.second.load(ordering: .acquiring) }
        nonmutating set { unsafe cell.pointee.second.store(newValue, ordering: .releasing) }
    }
    /// Replace the second word if nobody else did meanwhile.
    @inlinable @inline(__always)
    public func exchangeSecond(_ old: UInt64, _ new: UInt64) -> Bool {
        unsafe cell.pointee.second.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
            .exchanged
    }
}

/// A destination's state.
@safe
public struct DestinationState {
    @usableFromInline let cell: UnsafeMutablePointer<DestinationCell>
    @inlinable @inline(__always)
    init(_ cell: UnsafeMutablePointer<DestinationCell>) { unsafe self.cell = cell }

    /// Entries in an active state.
    @inlinable @inline(__always)
    public var active: Int32 { unsafe cell.pointee.active.load(ordering: .relaxed) }
    /// Entries in the other states.
    @inlinable @inline(__always)
    public var inactive: Int32 { unsafe cell.pointee.inactive.load(ordering: .relaxed) }
    /// Persistence templates.
    @inlinable @inline(__always)
    public var persistent: Int32 { unsafe cell.pointee.persistent.load(ordering: .relaxed) }
    /// Entries and templates that point to it.
    @inlinable @inline(__always)
    public var references: Int32 { unsafe cell.pointee.references.load(ordering: .acquiring) }
    /// The weight in force.
    @inlinable @inline(__always)
    public var weight: Int32 {
        get { unsafe cell.pointee.weight.load(ordering: .relaxed) }
        nonmutating set { unsafe cell.pointee.weight.store(newValue, ordering: .relaxed) }
    }
    /// Place in its service's list; a hint.
    @inlinable @inline(__always)
    public var place: UInt32 {
        get { unsafe cell.pointee.place.load(ordering: .relaxed) }
        nonmutating set { unsafe cell.pointee.place.store(newValue, ordering: .relaxed) }
    }
    /// The service it belongs or belonged to.
    @inlinable @inline(__always)
    public var serviceSlot: UInt32 {
        get { unsafe cell.pointee.serviceSlot.load(ordering: .relaxed) }
        nonmutating set { unsafe cell.pointee.serviceSlot.store(newValue, ordering: .relaxed) }
    }
    /// How packets to it are wrapped. Entries follow a change at once, as in the kernel (`ip_vs_xmit.c` reads
    /// `dest->tun_type` for each packet).
    @inlinable @inline(__always)
    public var tunnel: TunnelOptions {
        get { unsafe TunnelOptions(packed: cell.pointee.tunnel.load(ordering: .relaxed)) }
        nonmutating set { unsafe cell.pointee.tunnel.store(newValue.packed, ordering: .relaxed) }
    }
    /// The timeout that its service sets for a TCP state, in ticks; 0: none.
    @inlinable @inline(__always)
    public func tcpTimeout(_ state: UInt8) -> Tick {
        switch state {
        case 1: unsafe cell.pointee.tcpTimeout.load(ordering: .relaxed)
        case 4: unsafe cell.pointee.finTimeout.load(ordering: .relaxed)
        default: 0
        }
    }
    /// The timeout that its service sets for UDP, in ticks; 0: none.
    @inlinable @inline(__always)
    public var udpTimeout: Tick { unsafe cell.pointee.udpTimeout.load(ordering: .relaxed) }

    /// The timeouts of its service; nil, or a 0: the setting's.
    func setTimeouts(_ timeouts: Timeouts?) {
        unsafe cell.pointee.tcpTimeout.store(Ticks.seconds(timeouts?.tcp ?? 0), ordering: .relaxed)
        unsafe cell.pointee.finTimeout.store(Ticks.seconds(timeouts?.tcpFin ?? 0), ordering: .relaxed)
        unsafe cell.pointee.udpTimeout.store(Ticks.seconds(timeouts?.udp ?? 0), ordering: .relaxed)
    }

    /// The flags.
    @inlinable @inline(__always)
    public var flags: DestinationFlags {
        unsafe DestinationFlags(rawValue: cell.pointee.flags.load(ordering: .acquiring))
    }
    /// Whether the rules name it.
    @inlinable @inline(__always)
    public var isAvailable: Bool { flags.contains(.available) }
    /// Whether its connections are reset.
    @inlinable @inline(__always)
    public var isResetting: Bool { flags.contains(.resetting) }
    /// Whether packets go to it: the rules name it, and its connections are not being reset.
    @inlinable @inline(__always)
    public var isServing: Bool { flags.rawValue & 9 == 1 }
    /// Whether it is at its upper threshold.
    @inlinable @inline(__always)
    public var isOverloaded: Bool { flags.contains(.overloaded) }
    /// Whether a scheduler may pick it: a weight above 0 and below its threshold.
    @inlinable @inline(__always)
    public var isUsable: Bool { weight > 0 && !isOverloaded }

    /// Set flags.
    @inlinable @inline(__always)
    public func set(_ flags: DestinationFlags) {
        unsafe _ = cell.pointee.flags.bitwiseOr(flags.rawValue, ordering: .acquiringAndReleasing)
    }
    /// Clear flags.
    @inlinable @inline(__always)
    public func clear(_ flags: DestinationFlags) {
        unsafe _ = cell.pointee.flags.bitwiseAnd(~flags.rawValue, ordering: .acquiringAndReleasing)
    }

    /// Set thresholds as a rule states them. A higher or absent upper threshold ends the overload
    /// (`ip_vs_ctl.c`, `__ip_vs_update_dest`), one that is reached already begins it (recording `thresholds`).
    public func setThresholds(upper: UInt32, lower: UInt32) {
        let old = unsafe cell.pointee.upper.exchange(upper, ordering: .relaxed)
        unsafe cell.pointee.lower.store(lower, ordering: .relaxed)
        if upper == 0 || upper > old { clear(.overloaded) }
        if upper != 0, total >= upper { set(.overloaded) }
    }

    /// Make it as new: for a slot that is given to another destination.
    func reset() {
        unsafe cell.pointee.active.store(0, ordering: .relaxed)
        unsafe cell.pointee.inactive.store(0, ordering: .relaxed)
        unsafe cell.pointee.persistent.store(0, ordering: .relaxed)
        unsafe cell.pointee.references.store(0, ordering: .relaxed)
        unsafe cell.pointee.upper.store(0, ordering: .relaxed)
        unsafe cell.pointee.lower.store(0, ordering: .relaxed)
        unsafe cell.pointee.flags.store(0, ordering: .relaxed)
    }

    /// Entries that count towards the thresholds. Read while another worker moves a count, the sum may be off by one.
    @inlinable @inline(__always)
    var total: UInt32 { UInt32(max(0, active &+ inactive)) }

    // MARK: Binding entries (`ip_vs_conn.c`, `ip_vs_bind_dest` and `ip_vs_unbind_dest`)

    /// An entry or template points here from now on.
    @inlinable
    public func bind(isTemplate: Bool, isActive: Bool) {
        unsafe _ = cell.pointee.references.wrappingAdd(1, ordering: .acquiringAndReleasing)
        if isTemplate {
            unsafe _ = cell.pointee.persistent.wrappingAdd(1, ordering: .relaxed)
        } else if isActive {
            unsafe _ = cell.pointee.active.wrappingAdd(1, ordering: .relaxed)
        } else {
            unsafe _ = cell.pointee.inactive.wrappingAdd(1, ordering: .relaxed)
        }
        let upper = unsafe cell.pointee.upper.load(ordering: .relaxed)
        if upper != 0, total >= upper { set(.overloaded) }
    }

    /// An entry or template that pointed here has ended.
    @inlinable
    public func unbind(isTemplate: Bool, isActive: Bool) {
        if isTemplate {
            unsafe _ = cell.pointee.persistent.wrappingSubtract(1, ordering: .relaxed)
        } else if isActive {
            unsafe _ = cell.pointee.active.wrappingSubtract(1, ordering: .relaxed)
        } else {
            unsafe _ = cell.pointee.inactive.wrappingSubtract(1, ordering: .relaxed)
        }
        let total = UInt64(total)
        let upper = UInt64(unsafe cell.pointee.upper.load(ordering: .relaxed))
        let lower = UInt64(unsafe cell.pointee.lower.load(ordering: .relaxed))
        if lower != 0 {
            if total < lower { clear(.overloaded) }
        } else if upper != 0 {
            if total &* 4 < upper &* 3 { clear(.overloaded) }
        } else if isOverloaded {
            clear(.overloaded)
        }
        unsafe _ = cell.pointee.references.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    }

    /// An entry moved between the active and the other states.
    @inlinable
    public func move(toActive: Bool) {
        if toActive {
            unsafe _ = cell.pointee.active.wrappingAdd(1, ordering: .relaxed)
            unsafe _ = cell.pointee.inactive.wrappingSubtract(1, ordering: .relaxed)
        } else {
            unsafe _ = cell.pointee.active.wrappingSubtract(1, ordering: .relaxed)
            unsafe _ = cell.pointee.inactive.wrappingAdd(1, ordering: .relaxed)
        }
    }
}

/// Owns the memory of all slots, and hands slots out (control thread).
@safe
public final class StateMemory: @unchecked Sendable {
    /// The slots.
    public let slots: StateSlots
    /// Most destinations.
    public let destinationCapacity: Int
    /// Most services.
    public let serviceCapacity: Int
    let provider: MemoryProvider
    let destinationBlock: UnsafeMutableRawBufferPointer
    let serviceBlock: UnsafeMutableRawBufferPointer
    private var freeDestinations: [UInt32] = []
    private var freeServices: [UInt32] = []
    private var nextDestination: UInt32 = 0
    private var nextService: UInt32 = 0

    /// Slots for so many destinations and services.
    public init(destinations: Int, services: Int, provider: MemoryProvider) {
        precondition(MemoryLayout<DestinationCell>.stride == 64 && MemoryLayout<ServiceCell>.stride == 64)
        destinationCapacity = destinations
        serviceCapacity = services
        self.provider = provider
        unsafe destinationBlock = provider.allocate(destinations * 64)
        unsafe serviceBlock = provider.allocate(services * 64)
        unsafe slots = StateSlots(
            destinationBlock.baseAddress.unsafelyUnwrapped.bindMemory(to: DestinationCell.self, capacity: destinations),
            serviceBlock.baseAddress.unsafelyUnwrapped.bindMemory(to: ServiceCell.self, capacity: services))
    }

    deinit {
        unsafe provider.release(destinationBlock)
        unsafe provider.release(serviceBlock)
    }

    func takeDestination() -> UInt32? {
        let slot: UInt32
        if let free = freeDestinations.popLast() {
            slot = free
        } else {
            guard nextDestination < destinationCapacity else { return nil }
            slot = nextDestination
            nextDestination += 1
        }
        slots.destination(slot).reset()
        return slot
    }

    func giveBack(destination slot: UInt32) { freeDestinations.append(slot) }

    func takeService() -> UInt32? {
        if let free = freeServices.popLast() { return free }
        guard nextService < serviceCapacity else { return nil }
        nextService += 1
        return nextService - 1
    }

    func giveBack(service slot: UInt32) {
        slots.service(slot).cursor = 0
        slots.service(slot).second = 0
        freeServices.append(slot)
    }
}
