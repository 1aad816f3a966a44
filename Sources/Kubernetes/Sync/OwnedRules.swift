public import Balancer
public import Wire

/// The rules of a table that a cluster's objects asked for. All others were made by hand and are left alone.
public struct OwnedRules: Hashable, Sendable {
    /// Services with those of their destinations that are ours.
    public internal(set) var destinations: [ServiceKey: Set<DestinationKey>] = [:]
    /// Local addresses that are ours, of the services that have some.
    public internal(set) var localAddresses: [ServiceKey: Set<IPAddress>] = [:]

    /// None.
    public init() {}
}

/// How a table is brought to what is desired.
public struct SyncOptions: Hashable, Sendable {
    /// Services in these prefixes are never removed.
    public var excludedPrefixes: [AddressPrefix] = []
    /// Services made by hand that have the key of a desired one become ours.
    public var adopts = false

    /// Nothing excluded, nothing adopted.
    public init() {}
}

/// What brings a table to what is desired.
public struct SyncPlan: Sendable {
    /// The steps, in order.
    public internal(set) var changes: [RuleChange] = []
    /// What is ours once they are done.
    public internal(set) var owned = OwnedRules()
    /// Destinations that take no new connections and go when their last connection has ended.
    public internal(set) var draining = 0
    /// What is left alone although it is in the way, in sentences.
    public internal(set) var remarks: [String] = []
}
