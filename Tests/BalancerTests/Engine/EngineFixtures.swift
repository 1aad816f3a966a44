import TestSupport
import Testing
import Wire

@testable import Balancer

/// An engine with short names for rules.
struct EngineBed {
    let engine: Engine

    init(entries: Int = 256, workers: Int = 1, services: Int = 64, destinations: Int = 256) {
        engine = Engine(
            EngineConfiguration(
                entries: entries, workers: workers, services: services, destinations: destinations,
                secret: HashSecret(1, 2)))
    }

    static func service(_ endpoint: Endpoint = "203.0.113.80:80", _ scheduler: SchedulerKind = .rr) -> VirtualService {
        VirtualService(key: key(endpoint), scheduler: scheduler)
    }

    static func key(_ endpoint: Endpoint = "203.0.113.80:80") -> ServiceKey {
        .address(transportProtocol: IPProtocol.tcp, address: endpoint.address, port: endpoint.port)
    }

    static func server(_ endpoint: Endpoint, weight: Int32 = 1, upper: UInt32 = 0, lower: UInt32 = 0) -> Destination {
        Destination(
            key: DestinationKey(address: endpoint.address, port: endpoint.port), method: .masquerading, weight: weight,
            upperThreshold: upper, lowerThreshold: lower)
    }

    /// The service's destinations as listed: newest first.
    func servers(_ key: ServiceKey = EngineBed.key()) -> [DestinationStatus] {
        engine.service(key)?.destinations ?? []
    }

    /// What a worker finds for a packet.
    func record(_ endpoint: Endpoint = "203.0.113.80:80", mark: UInt32 = 0) -> ServiceRecord? {
        engine.serviceTable.find(
            transportProtocol: IPProtocol.tcp, address: endpoint.address, port: endpoint.port, mark: mark)?.record
    }

    /// Let the control side's clock go on to `seconds`, second by second.
    func advance(from: Int = 0, to seconds: Int) {
        for second in from...seconds { engine.advance(milliseconds: UInt64(second) * 1000) }
    }

    /// What `body` throws; nil when nothing.
    static func error(_ body: () throws -> Void) -> RuleError? {
        do {
            try body()
            return nil
        } catch {
            return error as? RuleError
        }
    }
}
