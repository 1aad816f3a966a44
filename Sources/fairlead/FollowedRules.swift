import Balancer
import Dataplane

/// What ports and guard know of the rules.
struct FollowedRules {
    /// The revision they follow; nil: none yet.
    var revision: UInt64?
    /// Services whose traffic they were given in addition, since they were last given exactly what the rules say.
    var added: Set<ServiceKey> = []
    /// What they were given for connections of deleted real servers.
    var departed: Set<DepartedTraffic> = []

    /// Up to so many services and destinations, ports and guard are given everything after each change: it takes a few
    /// milliseconds. With more, they are given what is new at once, and a second or more later exactly what is left.
    static let few = 500

    /// Giving them exactly what is left is followed by a rest of so many times what it took, so that a large table that
    /// changes all the time keeps a processor busy for a twentieth of it.
    static let rest = 20
}
