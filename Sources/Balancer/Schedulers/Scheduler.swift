public import Wire

/// The schedulers. The registry: CLI, save and restore, help and the README table read it.
///
/// A scheduler is a file of its own with an enum that conforms to `Scheduler`, a case here and a line in each of the
/// two switches below.
public enum SchedulerKind: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    case rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos
    case p2c, rendezvous, maglev

    /// The name ipvsadm knows it by.
    public var name: String { Self.names[Int(rawValue)] }
    private static let names = allCases.map { String(describing: $0) }

    /// The scheduler called `name`; nil when there is none.
    public init?(name: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }

    /// The destination for a new connection: its place in the service's list, newest first; nil when none is usable.
    ///
    /// Packet path, any worker. What it remembers between calls lies in `slots` (lblc, lblcr: in the service's
    /// `SchedulerMemory`) and is changed atomically.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        switch self {
        case .rr: RoundRobin.schedule(service, request, slots)
        case .wrr: WeightedRoundRobin.schedule(service, request, slots)
        case .lc: LeastConnection.schedule(service, request, slots)
        case .wlc: WeightedLeastConnection.schedule(service, request, slots)
        case .lblc: LocalityBasedLeastConnection.schedule(service, request, slots)
        case .lblcr: LocalityBasedLeastConnectionWithReplication.schedule(service, request, slots)
        case .dh: DestinationHashing.schedule(service, request, slots)
        case .sh: SourceHashing.schedule(service, request, slots)
        case .sed: ShortestExpectedDelay.schedule(service, request, slots)
        case .nq: NeverQueue.schedule(service, request, slots)
        case .fo: WeightedFailover.schedule(service, request, slots)
        case .ovf: WeightedOverflow.schedule(service, request, slots)
        case .mh: MaglevHashing.schedule(service, request, slots)
        case .twos: TwosChoice.schedule(service, request, slots)
        case .p2c: PowerOfTwoChoices.schedule(service, request, slots)
        case .rendezvous: RendezvousHashing.schedule(service, request, slots)
        case .maglev: Maglev.schedule(service, request, slots)
        }
    }

    /// What the control side asks of a scheduler.
    var implementation: any Scheduler.Type {
        switch self {
        case .rr: RoundRobin.self
        case .wrr: WeightedRoundRobin.self
        case .lc: LeastConnection.self
        case .wlc: WeightedLeastConnection.self
        case .lblc: LocalityBasedLeastConnection.self
        case .lblcr: LocalityBasedLeastConnectionWithReplication.self
        case .dh: DestinationHashing.self
        case .sh: SourceHashing.self
        case .sed: ShortestExpectedDelay.self
        case .nq: NeverQueue.self
        case .fo: WeightedFailover.self
        case .ovf: WeightedOverflow.self
        case .mh: MaglevHashing.self
        case .twos: TwosChoice.self
        case .p2c: PowerOfTwoChoices.self
        case .rendezvous: RendezvousHashing.self
        case .maglev: Maglev.self
        }
    }
}

extension SchedulerKind {
    /// Its name in words; the words joined name its source file.
    public var title: String { implementation.title }
    /// One sentence for help and README.
    public var summary: String { implementation.summary }
    /// Whether Linux IPVS has no such scheduler, so that rules with it cannot go back to a kernel.
    public var isBeyondKernel: Bool { implementation.isBeyondKernel }
    /// The flags (`-b`) that change its choice.
    public var flags: SchedulerFlags { implementation.flags }
    /// The table sizes it can be given (`VirtualService.tableSize`), smallest first; empty: it takes none.
    public var tableSizes: [Int] { implementation.tableSizes }

    /// Called by the control side when a service's destinations changed, before the new snapshot is published.
    func prepare(_ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState) -> SchedulerPreparation
    {
        implementation.prepare(change, service, state)
    }

    /// Memory that the scheduler needs beside the service's two words; nil for most. The control side makes it when a
    /// service begins to use the scheduler and gives it to each `ServiceBlock` of the service, which keeps it for as
    /// long as a worker may read it.
    func makeMemory(_ provider: MemoryProvider) -> SchedulerMemory? {
        let members = implementation.rememberedDestinations
        return members == 0 ? nil : SchedulerMemory(members: members, provider: provider)
    }
}

/// What a scheduler's file provides. `schedule` runs on the packet path, the rest on the control side.
protocol Scheduler {
    static var title: String { get }
    static var summary: String { get }
    static var isBeyondKernel: Bool { get }
    static var flags: SchedulerFlags { get }
    static var tableSizes: [Int] { get }
    /// Whether `table` holds places in the service's list, so that two tables can be compared.
    static var isTableOfPlaces: Bool { get }
    /// Destinations that `SchedulerMemory` remembers an address; 0: the scheduler needs none.
    static var rememberedDestinations: Int { get }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int?
    static func prepare(
        _ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState
    ) -> SchedulerPreparation
    static func table(_ service: ServiceDestinations) -> [UInt32]
}

extension Scheduler {
    static var isBeyondKernel: Bool { false }
    static var flags: SchedulerFlags { [] }
    static var tableSizes: [Int] { [] }
    static var isTableOfPlaces: Bool { false }
    static var rememberedDestinations: Int { 0 }
    static func prepare(
        _ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState
    ) -> SchedulerPreparation {
        SchedulerPreparation(table: table(service))
    }
    static func table(_ service: ServiceDestinations) -> [UInt32] { [] }
}

/// What a scheduler may know of the packet.
public struct ScheduleRequest: Sendable {
    /// The client's address.
    public var client: IPAddress
    /// The client's port; 0 where the packet has none (fragments, ICMP).
    public var clientPort: UInt16
    /// The address the client spoke to.
    public var virtual: IPAddress
    /// The clock.
    public var now: Tick
    /// 64 random bits of the worker's seeded generator, for schedulers that draw.
    public var random: UInt64
    /// How long lblc and lblcr remember what is not used (`lblc_expiration`, `lblcr_expiration`).
    public var localityLife = Ticks.seconds(24 * 60 * 60)

    /// From its parts.
    @inlinable
    public init(client: IPAddress, clientPort: UInt16, virtual: IPAddress, now: Tick, random: UInt64) {
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.now = now
        self.random = random
    }
}

/// What happened to a service.
enum ServiceChange {
    /// It was made, or given another scheduler.
    case started
    /// Its flags, table size or persistence changed; its destinations did not.
    case configured
    /// The destination at this place (0: the newest) was added.
    case added(place: Int)
    /// The destination at this place was edited.
    case edited(place: Int)
    /// This destination was removed from this place.
    case removed(place: Int, DestinationRecord)
}

/// A service's destinations after a change, newest first, with the settings of its scheduler.
struct ServiceDestinations {
    var records: [DestinationRecord]
    var flags: SchedulerFlags
    /// `VirtualService.tableSize`; 0: the scheduler's own.
    var tableSize = 0
}

/// What a scheduler wants to find in the service's record.
struct SchedulerPreparation {
    /// `ServiceRecord.schedulerNumbers`.
    var numbers: (Int32, Int32) = (0, 0)
    /// `ServiceRecord.tableValue`.
    var table: [UInt32] = []
}
