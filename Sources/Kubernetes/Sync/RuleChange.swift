public import Balancer
public import Wire

/// One step that brings a table of rules closer to what it should be.
public enum RuleChange: Hashable, Sendable, CustomStringConvertible {
    case addService(VirtualService)
    case editService(VirtualService)
    case removeService(ServiceKey)
    case addDestination(Destination, ServiceKey)
    case editDestination(Destination, ServiceKey)
    case removeDestination(DestinationKey, ServiceKey)
    case addLocalAddress(IPAddress, ServiceKey)
    case removeLocalAddress(IPAddress, ServiceKey)

    /// As a command of ipvsadm; a service's masquerade rule has no word there.
    public var description: String {
        switch self {
        case .addService(let service): "-A \(RuleText.service(service.key))\(RuleText.options(service))"
        case .editService(let service): "-E \(RuleText.service(service.key))\(RuleText.options(service))"
        case .removeService(let key): "-D \(RuleText.service(key))"
        case .addDestination(let destination, let key): "-a \(Self.words(destination, key))"
        case .editDestination(let destination, let key): "-e \(Self.words(destination, key))"
        case .removeDestination(let destination, let key):
            "-d \(RuleText.service(key)) -r \(RuleText.destination(destination))"
        case .addLocalAddress(let address, let key): "-P \(RuleText.service(key)) -z \(address)"
        case .removeLocalAddress(let address, let key): "-Q \(RuleText.service(key)) -z \(address)"
        }
    }

    private static func words(_ destination: Destination, _ key: ServiceKey) -> String {
        "\(RuleText.service(key)) -r \(RuleText.destination(destination.key)) -m -w \(destination.weight)"
    }
}

extension Destination {
    /// A NAT destination.
    static func translating(_ key: DestinationKey, weight: Int32 = 1) -> Destination {
        Destination(key: key, method: .masquerading, weight: weight)
    }
}
