import Balancer
import Control
import Wire

/// A table in memory that adds, edits, deletes and refuses as the kernel's control side does, without any traffic.
final class KernelRuleTable: RuleTable {
    private var entries: [ServiceStatus] = []
    var timeouts = Timeouts()
    var connectionEntries: [ConnectionStatus] = []
    /// Addresses that are broadcast on the director's networks, beside 255.255.255.255.
    var broadcastAddresses: Set<IPAddress> = []
    /// Lets a test put counts and counters where the kernel's traffic put them.
    func update(_ change: (inout ServiceStatus) -> Void) {
        for index in entries.indices { change(&entries[index]) }
    }

    func addService(_ service: VirtualService) throws(RuleError) {
        guard index(service.key) == nil else { throw .serviceExists }
        entries.append(ServiceStatus(service: service))
    }

    func editService(_ service: VirtualService) throws(RuleError) {
        guard let index = index(service.key) else { throw .noSuchService }
        entries[index].service = service
    }

    func removeService(_ key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .noSuchService }
        entries.remove(at: index)
    }

    func removeAllServices() { entries = [] }

    func addDestination(_ destination: Destination, to key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .serviceNotDefined }
        guard destination.lowerThreshold <= destination.upperThreshold else { throw .outOfRange }
        guard position(destination.key, index) == nil else { throw .destinationExists }
        guard !broadcastAddresses.contains(destination.key.address) else { throw .invalidArgument }
        entries[index].destinations.insert(DestinationStatus(destination: destination), at: 0)
    }

    func editDestination(_ destination: Destination, of key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .serviceNotDefined }
        guard destination.lowerThreshold <= destination.upperThreshold else { throw .outOfRange }
        guard let position = position(destination.key, index) else { throw .noSuchDestination }
        entries[index].destinations[position].destination = destination
    }

    func removeDestination(_ destination: DestinationKey, of key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .serviceNotDefined }
        guard let position = position(destination, index) else { throw .noSuchDestination }
        entries[index].destinations.remove(at: position)
    }

    func services() -> [ServiceStatus] { entries }

    func service(_ key: ServiceKey) -> ServiceStatus? { index(key).map { entries[$0] } }

    func addLocalAddress(_ address: IPAddress, to key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .noSuchService }
        guard !entries[index].localAddresses.contains(where: { $0.address == address }) else {
            throw .localAddressExists
        }
        entries[index].localAddresses.append(LocalAddressStatus(address: address))
    }

    func removeLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(RuleError) {
        guard let index = index(key) else { throw .noSuchService }
        guard let place = entries[index].localAddresses.firstIndex(where: { $0.address == address }) else {
            throw .noSuchLocalAddress
        }
        entries[index].localAddresses.remove(at: place)
    }

    func connections() -> [ConnectionStatus] { connectionEntries }

    func zero(_ key: ServiceKey?) throws(RuleError) {
        if let key, index(key) == nil { throw .noSuchService }
        for index in entries.indices where key == nil || entries[index].service.key == key {
            entries[index].counters = TrafficCounters()
            for position in entries[index].destinations.indices {
                entries[index].destinations[position].counters = TrafficCounters()
            }
        }
    }

    private func index(_ key: ServiceKey) -> Int? { entries.firstIndex { $0.service.key == key } }

    private func position(_ key: DestinationKey, _ index: Int) -> Int? {
        entries[index].destinations.firstIndex { $0.destination.key == key }
    }
}
