import Wire

/// Flags that change a scheduler's choice (`ipvsadm -b`); the bits are the kernel's `IP_VS_SVC_F_SCHED1…3`.
public struct SchedulerFlags: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// From the bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// `sh-fallback`, `mh-fallback`, `flag-1`: another destination when the hashed one is unusable.
    public static let fallback = SchedulerFlags(rawValue: 1)
    /// `sh-port`, `mh-port`, `flag-2`: the client's port is hashed too.
    public static let port = SchedulerFlags(rawValue: 2)
    /// `flag-3`, which no scheduler uses.
    public static let third = SchedulerFlags(rawValue: 4)
}

/// How long a client stays with its destination, and what counts as one client.
public struct Persistence: Hashable, Sendable {
    /// Seconds a template lives after the last new connection (`-p`).
    public var timeout: UInt32
    /// Length of the prefix of the client's address that counts (`-M`): 32 or 128 for the whole address.
    public var prefixLength: Int

    /// From seconds and prefix length.
    public init(timeout: UInt32, prefixLength: Int) {
        self.timeout = timeout
        self.prefixLength = prefixLength
    }
    /// What `-p` without a value means (ipvsadm's `IP_VS_TEMPLATE_TIMEOUT`).
    public static let defaultTimeout: UInt32 = 360
}

/// A virtual service as the rules state it.
public struct VirtualService: Hashable, Sendable {
    /// What it is known by.
    public var key: ServiceKey
    /// How destinations are chosen.
    public var scheduler: SchedulerKind
    /// Flags of the scheduler.
    public var schedulerFlags: SchedulerFlags
    /// Places of the scheduler's table, one of `SchedulerKind.tableSizes`; 0: the scheduler's own.
    public var tableSize = 0
    /// Nil: not persistent.
    public var persistence: Persistence?
    /// The prefix length given with `-M`, which the listing shows for services without persistence too; nil: whole.
    public var prefixLength: Int
    /// Every datagram is scheduled anew and nothing is remembered (`-o`).
    public var isOnePacket: Bool
    /// How many new connections a source may open; nil: no limit.
    public var sourceRate: SourceRate?
    /// Timeouts that go before the settings'; nil: none, and a 0 leaves that one to the settings.
    public var timeouts: Timeouts?
    /// How its FULLNAT destinations learn the client's address.
    public var clientAddress = ClientAddressCarrier.none
    /// Which of its new connections leave under the director's own address although their destination is NAT; nil: none.
    public var masquerade: MasqueradeRule?

    /// A service with ipvsadm's defaults.
    public init(
        key: ServiceKey, scheduler: SchedulerKind = .wlc, schedulerFlags: SchedulerFlags = [],
        persistence: Persistence? = nil, isOnePacket: Bool = false
    ) {
        self.key = key
        self.scheduler = scheduler
        self.schedulerFlags = schedulerFlags
        self.persistence = persistence
        self.prefixLength = persistence?.prefixLength ?? key.family.bits
        self.isOnePacket = isOnePacket
    }
}
