public import Balancer
public import Wire

/// The rules and what goes on under them, as the control side sees and changes them.
///
/// It behaves as the kernel's control side does (`net/netfilter/ipvs/ip_vs_ctl.c`): a change is in force when the call
/// returns, a refused one changes nothing. Calls come one at a time; who shares a table among threads puts a lock
/// around it.
public protocol RuleTable: AnyObject {
    /// Add a service without destinations. Throws `serviceExists`, `invalidArgument`, `tableFull`,
    /// `virtualAddressIsLocal`.
    func addService(_ service: VirtualService) throws(RuleError)
    /// Replace scheduler, flags, persistence and one-packet mode of a service. Throws `noSuchService`.
    func editService(_ service: VirtualService) throws(RuleError)
    /// Remove a service with its destinations. Throws `noSuchService`.
    func removeService(_ key: ServiceKey) throws(RuleError)
    /// Remove every service.
    func removeAllServices()
    /// Add a destination in front of the others. Throws `serviceNotDefined`, `outOfRange`, `destinationExists`,
    /// `familyMismatch`, `invalidArgument`, `tableFull`.
    func addDestination(_ destination: Destination, to key: ServiceKey) throws(RuleError)
    /// Replace method, weight, thresholds and tunnel of a destination, which keeps its place. Throws
    /// `serviceNotDefined`, `outOfRange`, `noSuchDestination`.
    func editDestination(_ destination: Destination, of key: ServiceKey) throws(RuleError)
    /// Remove a destination. Throws `serviceNotDefined`, `noSuchDestination`.
    func removeDestination(_ destination: DestinationKey, of key: ServiceKey) throws(RuleError)
    /// Add a local address to a service's pool, behind the others. Throws `noSuchService`, `localAddressExists`,
    /// `unusableLocalAddress`.
    func addLocalAddress(_ address: IPAddress, to key: ServiceKey) throws(RuleError)
    /// Take a local address out of a service's pool; connections that use it go on. Throws `noSuchService`,
    /// `noSuchLocalAddress`, `lastLocalAddress`.
    func removeLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(RuleError)
    /// Put the changes that `body` makes in force together.
    func changeRules<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure)
    /// Every service with its destinations, in the kernel's order (destinations newest first).
    func services() -> [ServiceStatus]
    /// One service with its destinations; nil when there is none.
    func service(_ key: ServiceKey) -> ServiceStatus?
    /// Every connection entry and persistence template, in no order.
    func connections() -> [ConnectionStatus]
    /// The timeouts that new packets set.
    var timeouts: Timeouts { get set }
    /// Zero the counters of one service and its destinations, or of all. Throws `noSuchService`.
    func zero(_ key: ServiceKey?) throws(RuleError)
    /// Slots of the connection hash as the listing's first line shows them; the kernel's default is 4096.
    var connectionTableSize: Int { get }
    /// Whether services may use this scheduler.
    func isKnown(scheduler: SchedulerKind) -> Bool
}

extension RuleTable {
    /// The kernel's default (`CONFIG_IP_VS_TAB_BITS` 12), which scripts expect to read.
    public var connectionTableSize: Int { 4096 }

    /// One after the other.
    public func changeRules<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) { try body() }

    /// Every scheduler of the registry.
    public func isKnown(scheduler: SchedulerKind) -> Bool { true }
}
