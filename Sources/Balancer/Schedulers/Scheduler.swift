public import Wire

/// The schedulers. The registry: CLI, save and restore, help and the README table read it.
///
/// A scheduler is a file of its own with an enum that has `schedule` (packet path: which destination) and, where it keeps
/// tables or a cursor, `prepare` (control side: after each change of the service).
public enum SchedulerKind: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    case rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos

    /// The name ipvsadm knows it by.
    public var name: String { String(describing: self) }

    /// The scheduler called `name`; nil when there is none.
    public init?(name: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }

    /// The destination for a new connection: its place in the service's list, newest first; nil when none is usable.
    ///
    /// Packet path, any worker. What it remembers between calls lies in `slots` and is changed atomically.
    @inlinable
    public func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        switch self {
        case .rr: RoundRobin.schedule(service, slots)
        default: RoundRobin.schedule(service, slots)
        }
    }

    /// Called by the control side when a service's destinations changed, before the new snapshot is published.
    func prepare(_ change: ServiceChange, _ service: ServiceDestinations, _ state: ServiceState) -> SchedulerPreparation {
        switch self {
        case .rr: RoundRobin.prepare(change, service, state)
        default: RoundRobin.prepare(change, service, state)
        }
    }
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
    /// The destination at this place (0: the newest) was added.
    case added(place: Int)
    /// The destination at this place was edited.
    case edited(place: Int)
    /// This destination was removed from this place.
    case removed(place: Int, DestinationRecord)
}

/// A service's destinations after a change, newest first, with the flags of its scheduler.
struct ServiceDestinations {
    var records: [DestinationRecord]
    var flags: SchedulerFlags
}

/// What a scheduler wants to find in the service's record.
struct SchedulerPreparation {
    /// `ServiceRecord.schedulerNumbers`.
    var numbers: (Int32, Int32) = (0, 0)
    /// `ServiceRecord.tableValue`.
    var table: [UInt32] = []
}
