/// What applying a file would change, and whom that would meet: what `fairlead plan` shows.
public struct RulePlan: Hashable, Sendable, Codable {
    /// What becomes of a part.
    public enum Action: String, Hashable, Sendable, Codable {
        case add, change, remove
    }

    /// Established connections that a change meets.
    public struct Effect: Hashable, Sendable, Codable {
        /// Their packets are dropped from then on: their real server, or the service, goes.
        public var cut = 0
        /// They go on until they end; nothing new comes to their real server.
        public var drained = 0
        /// They go on, but the next connection of their client goes to another real server. Estimated by shares.
        public var rehashed = 0

        /// None unless given.
        public init(cut: Int = 0, drained: Int = 0, rehashed: Int = 0) {
            self.cut = cut
            self.drained = drained
            self.rehashed = rehashed
        }

        /// Whether nobody is met.
        public var isNone: Bool { cut == 0 && drained == 0 && rehashed == 0 }

        mutating func add(_ other: Effect) {
            cut += other.cut
            drained += other.drained
            rehashed += other.rehashed
        }
    }

    /// What becomes of a hashing scheduler's table.
    public struct Rehash: Hashable, Sendable, Codable {
        /// The scheduler in force afterwards.
        public var scheduler: String
        /// Places of its table; 0: it has none, shares are computed.
        public var places: Int
        /// The part of all clients, 0 to 1, whose next connection goes to another real server.
        public var moved: Double
        /// The part that no scheduler could have kept, given the new shares.
        public var unavoidable: Double
    }

    /// A destination that changes.
    public struct DestinationChange: Hashable, Sendable, Codable {
        /// What becomes of it.
        public var action: Action
        /// `10.0.2.11:80`.
        public var destination: String
        /// What changes, e.g. `weight 1 -> 0`.
        public var details: [String]
        /// Its established connections now.
        public var established: Int
        /// Whom the change meets.
        public var effect: Effect
    }

    /// A service that changes, or whose destinations do.
    public struct ServiceChange: Hashable, Sendable, Codable {
        /// What becomes of it; `change` also when only its destinations change.
        public var action: Action
        /// `TCP 198.51.100.80:80`.
        public var service: String
        /// What changes of the service itself.
        public var details: [String]
        /// Destinations that change, in the order of the file; removed ones last.
        public var destinations: [DestinationChange]
        /// Destinations that stay as they are.
        public var unchangedDestinations: Int
        /// What becomes of a hashing scheduler's choices; nil: nothing.
        public var rehash: Rehash?
        /// Its own effect and its destinations' together.
        public var effect: Effect
    }

    /// Services that change, in the order of the file; removed ones last.
    public var services: [ServiceChange] = []
    /// Services that stay as they are, destinations included.
    public var unchangedServices = 0
    /// Destinations that stay as they are, of all services.
    public var unchangedDestinations = 0
    /// Rules that mark packets which come (`+`) or go (`-`), or whose order changes (`~`): a sign and the words of
    /// `fairlead mark add`.
    public var marks: [String] = []
    /// Timeouts and settings that change, e.g. `tcp 900 -> 600`.
    public var settings: [String] = []
    /// What the file says but only a restart brings about.
    public var needsRestart: [String] = []
    /// The sum over all changes.
    public var effect = Effect()

    /// Whether applying it changes nothing.
    public var isEmpty: Bool { services.isEmpty && marks.isEmpty && settings.isEmpty }
}
