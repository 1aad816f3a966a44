import Balancer
public import Foundation
import Wire

/// What `fairlead kube` sends to the daemon, as JSON; the answer is a `SyncReply`.
public struct SyncRequest: Hashable, Sendable, Codable {
    /// The route of the control socket.
    public static let route = "/kube"

    /// The services that there should be.
    public var services: [Service]
    /// Prefixes whose services are never removed.
    public var excluded: [String]
    /// TCP, TCP FIN and UDP timeouts in seconds; 0 keeps one.
    public var timeouts: [UInt32]
    /// Settings of `net.ipv4.vs`, as `NAME=VALUE`.
    public var settings: [String]
    /// Whether services made by hand that have the key of one of these become ours.
    public var adopts = false
    /// Whether nothing is to be changed.
    public var isDryRun = false

    /// A service.
    public struct Service: Hashable, Sendable, Codable {
        /// What it stands for.
        public var name: String
        /// `tcp`, `udp` or `sctp`.
        public var transportProtocol: String
        /// Virtual address.
        public var address: String
        /// Port.
        public var port: UInt16
        /// The scheduler's name.
        public var scheduler: String
        /// `SchedulerFlags`.
        public var flags: UInt8
        /// Seconds of persistence; nil: none.
        public var persistence: UInt32?
        /// `loops`, `all`, `node-port` or `outside PREFIX`.
        public var masquerade: String
        /// Real servers.
        public var destinations: [Destination]
        /// Addresses that masqueraded connections leave under.
        public var localAddresses: [String]
    }

    /// A NAT destination of weight 1.
    public struct Destination: Hashable, Sendable, Codable {
        /// Address.
        public var address: String
        /// Port.
        public var port: UInt16
    }

    /// kube-proxy sets these when it starts in mode ipvs: entries of deleted destinations end at once, and persistence
    /// does not lead to quiesced ones.
    public static let settings = ["expire_nodest_conn=1", "expire_quiescent_template=1"]

    /// The rules for a configuration.
    public init(_ rules: DesiredRules, _ configuration: ProxyConfiguration) {
        services = rules.services.map { Service($0) }
        excluded = configuration.excludedPrefixes.map(\.description)
        let timeouts = configuration.timeouts
        self.timeouts = [timeouts.tcp, timeouts.tcpFin, timeouts.udp]
        settings = Self.settings
    }

    /// No rules: all that are ours go.
    public static var cleanup: SyncRequest {
        var request = SyncRequest(DesiredRules(), ProxyConfiguration())
        request.settings = []
        return request
    }

    /// The services as JSON for people.
    public func readableServices() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(services), as: UTF8.self)
    }
}

extension SyncRequest.Service {
    init(_ desired: DesiredService) {
        let service = desired.service
        name = desired.name
        (transportProtocol, address, port) = ("", "", 0)
        if case .address(let number, let virtual, let port) = service.key {
            transportProtocol = Self.protocols.first { $0.number == number }?.name ?? ""
            (address, self.port) = (virtual.description, port)
        }
        scheduler = service.scheduler.name
        flags = service.schedulerFlags.rawValue
        persistence = service.persistence?.timeout
        masquerade =
            switch service.masquerade {
            case nil, .loops: "loops"
            case .all: "all"
            case .nodePort: "node-port"
            case .outside(let prefix): "outside \(prefix)"
            }
        destinations = desired.destinations.map {
            SyncRequest.Destination(address: $0.address.description, port: $0.port)
        }
        localAddresses = desired.localAddresses.map(\.description)
    }

    private static var protocols: [(name: String, number: UInt8)] {
        [("tcp", IPProtocol.tcp), ("udp", IPProtocol.udp), ("sctp", IPProtocol.sctp)]
    }

    /// The service it stands for.
    func desired() throws(KubernetesError) -> DesiredService {
        guard let number = Self.protocols.first(where: { $0.name == transportProtocol })?.number,
            let virtual = IPAddress(address), let kind = SchedulerKind(name: scheduler),
            let masquerade = masqueradeRule
        else {
            throw KubernetesError("\(name): not a service that this Fairlead understands; is it of another version?")
        }
        var keys: [DestinationKey] = []
        for destination in destinations {
            guard let address = IPAddress(destination.address) else {
                throw KubernetesError("\(name): \(destination.address) is no address")
            }
            keys.append(DestinationKey(address: address, port: destination.port))
        }
        var service = VirtualService(
            key: .address(transportProtocol: number, address: virtual, port: port), scheduler: kind,
            schedulerFlags: SchedulerFlags(rawValue: flags),
            persistence: persistence.map { Persistence(timeout: $0, prefixLength: virtual.family.bits) })
        service.masquerade = masquerade
        return DesiredService(
            name: name, service: service, destinations: keys,
            localAddresses: localAddresses.compactMap { IPAddress($0) })
    }

    private var masqueradeRule: MasqueradeRule? {
        switch masquerade {
        case "loops": return .loops
        case "all": return .all
        case "node-port": return .nodePort
        default:
            let word = "outside "
            guard masquerade.hasPrefix(word), let prefix = AddressPrefix(String(masquerade.dropFirst(word.count)))
            else {
                return nil
            }
            return .outside(prefix)
        }
    }
}

/// How the daemon took a `SyncRequest`.
public struct SyncReply: Hashable, Sendable, Codable {
    /// Changes made, or that would be made.
    public var changes = 0
    /// The same as commands of ipvsadm; of a dry run only.
    public var lines: [String] = []
    /// Destinations that wait for their last connection.
    public var draining = 0
    /// What was left alone or refused, in sentences.
    public var remarks: [String] = []
    /// Why nothing was done at all.
    public var error: String?

    /// Nothing done.
    public init() {}

    /// As JSON.
    public var encoded: Data { (try? JSONEncoder().encode(self)) ?? Data() }
}
