import Synchronization
public import Wire

/// What an entry is made from.
public struct EntryFields: Sendable {
    /// What it is.
    public var kind: EntryKind
    /// Its protocol.
    public var transportProtocol: UInt8
    /// How its packets reach the destination.
    public var method: ForwardingMethod
    /// Client address and port.
    public var client: DestinationKey
    /// Virtual address and port.
    public var virtual: DestinationKey
    /// Destination address and port.
    public var destination: DestinationKey
    /// The destination's slot.
    public var destinationSlot: UInt32
    /// The service's slot.
    public var serviceSlot: UInt32
    /// First state.
    public var state: UInt8
    /// First flags.
    public var flags: EntryFlags

    /// From its parts; the family bits of `kind` follow from the addresses.
    @inlinable
    public init(
        kind: EntryKind, transportProtocol: UInt8, method: ForwardingMethod, client: DestinationKey,
        virtual: DestinationKey, destination: DestinationKey, destinationSlot: UInt32, serviceSlot: UInt32,
        state: UInt8, flags: EntryFlags
    ) {
        self.kind = kind
        self.transportProtocol = transportProtocol
        self.method = method
        self.client = client
        self.virtual = virtual
        self.destination = destination
        self.destinationSlot = destinationSlot
        self.serviceSlot = serviceSlot
        self.state = state
        self.flags = flags
    }
}

extension ConnectionTable {
    /// A free entry, filled; nil when every entry is in use. Lock-free.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func make(_ fields: EntryFields, worker: UInt8, now: Tick) -> ConnectionEntry? {
        guard let index = pop() ?? fresh() else { return nil }
        let entry = entry(index)
        let number = unsafe shared.pointee.sequence.wrappingAdd(1, ordering: .relaxed).newValue
        entry.fill(fields, owner: worker, sequence: number, now: now)
        return entry
    }

    func pop() -> UInt32? {
        var head = unsafe shared.pointee.free.load(ordering: .acquiring)
        while head & 0xffff_ffff != 0 {
            let index = UInt32(truncatingIfNeeded: head) &- 1
            let next = UInt64(entry(index).link)
            let desired = (head >> 32 &+ 1) << 32 | next
            let result = unsafe shared.pointee.free.compareExchange(
                expected: head, desired: desired, ordering: .acquiringAndReleasing)
            if result.exchanged { return index }
            head = result.original
        }
        return nil
    }

    func fresh() -> UInt32? {
        var next = unsafe shared.pointee.fresh.load(ordering: .relaxed)
        while next < capacity {
            let result = unsafe shared.pointee.fresh.compareExchange(
                expected: next, desired: next &+ 1, ordering: .relaxed)
            if result.exchanged { return next }
            next = result.original
        }
        return nil
    }

    /// Give back an entry that was never in the table, or that left it a grace period ago.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func recycle(_ entry: ConnectionEntry) {
        if entry.flags.contains(.hashed) {
            releaseSlot(hash(entry.requestKey), entry.index &+ 1)
            if entry.hasReplyKey { releaseSlot(hash(entry.replyKey), (entry.index &+ 1) | 0x8000_0000) }
        }
        entry.markFree()
        var head = unsafe shared.pointee.free.load(ordering: .relaxed)
        while true {
            entry.link = UInt32(truncatingIfNeeded: head)
            let desired = (head >> 32 &+ 1) << 32 | UInt64(entry.index &+ 1)
            let result = unsafe shared.pointee.free.compareExchange(
                expected: head, desired: desired, ordering: .acquiringAndReleasing)
            if result.exchanged { return }
            head = result.original
        }
    }

    /// Entries ever used: those that a walk over the table has to look at.
    public var usedEntries: UInt32 { unsafe shared.pointee.fresh.load(ordering: .acquiring) }
}

extension ConnectionEntry {
    func fill(_ fields: EntryFields, owner: UInt8, sequence: UInt32, now: Tick) {
        var kind = fields.kind
        if !fields.client.address.isV4 || !fields.virtual.address.isV4 { kind.insert(.clientSideV6) }
        if !fields.destination.address.isV4 { kind.insert(.serverSideV6) }
        unsafe hot.pointee.client = fields.client.address.v4
        unsafe hot.pointee.virtual = fields.virtual.address.v4
        unsafe hot.pointee.destination = fields.destination.address.v4
        unsafe hot.pointee.local = 0
        unsafe hot.pointee.clientPort = fields.client.port
        unsafe hot.pointee.virtualPort = fields.virtual.port
        unsafe hot.pointee.destinationPort = fields.destination.port
        unsafe hot.pointee.localPort = 0
        unsafe hot.pointee.transportProtocol = fields.transportProtocol
        unsafe hot.pointee.kind = kind.rawValue
        unsafe hot.pointee.method = fields.method.rawValue
        unsafe hot.pointee.carrier = 0
        unsafe hot.pointee.destinationSlot = fields.destinationSlot
        if kind.contains(.clientSideV6) || kind.contains(.serverSideV6) {
            unsafe wide.pointee.client = fields.client.address
            unsafe wide.pointee.virtual = fields.virtual.address
            unsafe wide.pointee.destination = fields.destination.address
        }
        unsafe hot.pointee.bytes.store(0, ordering: .relaxed)
        unsafe hot.pointee.requestPackets.store(0, ordering: .relaxed)
        unsafe hot.pointee.controlled.store(0, ordering: .relaxed)
        unsafe hot.pointee.sequenceOffset = 0
        control = nil
        unsafe cold.pointee.serviceSlot = fields.serviceSlot
        unsafe cold.pointee.created = now
        unsafe cold.pointee.timerNext = 0
        unsafe cold.pointee.timerPrevious = 0
        armed = now
        unsafe cold.pointee.ownerAndSequence = sequence << 8 | UInt32(owner)
        unsafe hot.pointee.state.store(UInt32(fields.state) | fields.flags.rawValue, ordering: .releasing)
    }

    /// A free entry reads as removed, so that a walk over the table passes it over.
    func markFree() { unsafe hot.pointee.state.store(EntryFlags.removed.rawValue, ordering: .releasing) }
}

// MARK: Templates

extension ConnectionEntry {
    /// This entry ends before `template` does.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func control(by template: ConnectionEntry) {
        template.addControlled()
        control = template.index
        set(.controlled)
    }

    /// A template has seen one of its connections answered (kernel: `IP_VS_CTPL_S_ASSURED`).
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func assure() {
        if state == 0 { unsafe _ = hot.pointee.state.bitwiseOr(1, ordering: .acquiringAndReleasing) }
    }

    /// Whether it is a TCP connection whose handshake has not been completed.
    @inlinable
    public var isEmbryonic: Bool {
        transportProtocol == IPProtocol.tcp && !kind.contains(.template) && !flags.contains(.removed)
            && TCPTracking.isEmbryonic(state)
    }

    /// Whether it is a connection that neither side is known to have ended. Without the server's packets (DR, tunnel) the
    /// client's FIN is all that is seen of an end.
    @inlinable
    public var isOpen: Bool {
        guard !kind.contains(.template), let transport = Transport(transportProtocol) else { return false }
        return transport.isOpen(state, flags: flags)
    }

    /// Whether `worker` made it, and so keeps its timer.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func isOwned(by worker: UInt8) -> Bool { owner == worker }
}

extension ConnectionTable {
    /// `entry` has ended: its template controls one less.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func release(control: UInt32, of entry: ConnectionEntry) {
        self.entry(control).removeControlled()
        entry.control = nil
    }

    /// Take a template out of the clients' way though its time is not up: no lookup finds it any more, and listings show
    /// it with ports 65535 (`ip_vs_conn.c`, `ip_vs_check_template`). It stays armed, and in `count`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func rename(_ template: ConnectionEntry) {
        guard !template.set(.renamed).contains(.renamed) else { return }
        clearSlot(hash(template.requestKey), template.index &+ 1)
    }
}
