public import Balancer
import Wire

/// Rules in the words of `ipvsadm -S -n`.
public enum RuleText {
    /// `-t 10.96.0.1:443`.
    public static func service(_ key: ServiceKey) -> String {
        switch key {
        case .mark(let mark, let family): return "-f \(Int32(bitPattern: mark))\(family == .v6 ? " -6" : "")"
        case .address(let transportProtocol, let address, let port):
            let option =
                switch transportProtocol {
                case IPProtocol.udp: "-u"
                case IPProtocol.sctp: "--sctp-service"
                default: "-t"
                }
            return "\(option) \(endpoint(address, port))"
        }
    }

    /// ` -s rr -p 10800`: what `-A` and `-E` say of a service behind its key.
    static func options(_ service: VirtualService) -> String {
        var text = " -s \(service.scheduler.name)"
        if let persistence = service.persistence { text += " -p \(persistence.timeout)" }
        if service.schedulerFlags.contains(.port) { text += " -b \(service.scheduler.name)-port" }
        return text
    }

    /// `192.168.41.128:6443`.
    static func destination(_ key: DestinationKey) -> String { endpoint(key.address, key.port) }

    private static func endpoint(_ address: IPAddress, _ port: UInt16) -> String {
        address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

extension DesiredRules {
    /// The rules as `ipvsadm -R` reads them, a line each, on an empty table.
    public var restorableLines: [String] {
        services.flatMap { desired in
            let key = desired.service.key
            return [RuleChange.addService(desired.service).description]
                + desired.destinations.map { RuleChange.addDestination(.translating($0), key).description }
        }
    }
}
