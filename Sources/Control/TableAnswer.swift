public import Balancer
import Wire

/// What a table had to say to a command: a copy, to be put into words when the table is free again.
public struct TableAnswer: Sendable {
    enum Content: Sendable {
        case done
        /// Refused; status 255.
        case failed(String)
        /// Refused for its words; status 2.
        case unusable(String)
        /// There is no such thing to list; status 1.
        case nothingToList(String)
        /// The size is given when every service was asked for.
        case services([ServiceStatus], connectionTableSize: Int?)
        case connections([ConnectionStatus])
        case timeouts(Timeouts)
        /// To several commands, in their order; there are fewer when one ends the program.
        case several([TableAnswer])

        /// Whether ipvsadm ends with this, whatever lines follow.
        var isLast: Bool {
            switch self {
            case .unusable, .nothingToList: true
            default: false
            }
        }
    }

    let content: Content

    /// Carry a command out.
    init(_ command: Command, from table: any RuleTable) {
        do throws(Refusal) {
            content = try Self.carryOut(command, table)
        } catch {
            content = error.content
        }
    }

    init(_ content: Content) { self.content = content }

    /// Carry commands out in turn; their changes come into force together.
    init(_ commands: [Command], from table: any RuleTable) {
        var answers: [TableAnswer] = []
        table.changeRules {
            for command in commands {
                // Help and version print and end.
                if command == .help || command == .version {
                    answers.append(TableAnswer(.done))
                    return
                }
                let answer = TableAnswer(command, from: table)
                answers.append(answer)
                if answer.content.isLast { return }
            }
        }
        content = .several(answers)
    }

    /// Why a command was not carried out.
    private struct Refusal: Error {
        var content: Content
    }

    private static func carryOut(_ command: Command, _ table: any RuleTable) throws(Refusal) -> Content {
        switch command {
        case .list(let request): return try list(request, table)
        case .save: return .services(table.services(), connectionTableSize: nil)
        case .startDaemon: return .failed("Connection synchronisation is not supported")
        case .stopDaemon: return .failed("No daemon is running")
        case .setTimeouts(let change):
            var timeouts = table.timeouts
            if change.tcp != 0 { timeouts.tcp = change.tcp }
            if change.tcpFin != 0 { timeouts.tcpFin = change.tcpFin }
            if change.udp != 0 { timeouts.udp = change.udp }
            table.timeouts = timeouts
        case .clear: table.removeAllServices()
        case .addService(let request):
            let service = try service(request, table, exists: false)
            try attempt { () throws(RuleError) in try table.addService(service) }
        case .editService(let request):
            let service = try service(request, table, exists: true)
            try attempt { () throws(RuleError) in try table.editService(service) }
        case .deleteService(let key): try attempt { () throws(RuleError) in try table.removeService(key) }
        case .zero(let key): try attempt { () throws(RuleError) in try table.zero(key) }
        case .addDestination(let destination, let key):
            try checkUnicast(destination, key, table)
            try attempt { () throws(RuleError) in try table.addDestination(destination, to: key) }
        case .editDestination(let destination, let key):
            try attempt { () throws(RuleError) in try table.editDestination(destination, of: key) }
        case .deleteDestination(let destination, let key):
            try attempt { () throws(RuleError) in try table.removeDestination(destination, of: key) }
        case .addLocalAddress(let address, let key):
            try attempt { () throws(RuleError) in try table.addLocalAddress(address, to: key) }
        case .deleteLocalAddress(let address, let key):
            try attempt { () throws(RuleError) in try table.removeLocalAddress(address, of: key) }
        case .listLocalAddresses(let key?): return try service(key, table)
        case .listLocalAddresses(nil): return .services(table.services(), connectionTableSize: nil)
        case .restore, .help, .version: break
        }
        return .done
    }

    private static func attempt(_ change: () throws(RuleError) -> Void) throws(Refusal) {
        do throws(RuleError) {
            try change()
        } catch {
            throw Refusal(content: .failed(error.message))
        }
    }

    private static func list(_ request: ListRequest, _ table: any RuleTable) throws(Refusal) -> Content {
        switch request.subject {
        case .services: return .services(table.services(), connectionTableSize: table.connectionTableSize)
        case .connections: return .connections(table.connections())
        case .timeouts: return .timeouts(table.timeouts)
        case .daemon: return .done
        case .service(let key): return try service(key, table)
        }
    }

    private static func service(_ key: ServiceKey, _ table: any RuleTable) throws(Refusal) -> Content {
        guard let service = table.service(key) else {
            throw Refusal(content: .nothingToList(RuleError.noSuchService.message))
        }
        return .services([service], connectionTableSize: nil)
    }

    /// The service that a request means. Whether it is there comes first, then scheduler and persistence engine.
    private static func service(
        _ request: ServiceRequest, _ table: any RuleTable, exists: Bool
    ) throws(Refusal) -> VirtualService {
        guard (table.service(request.key) != nil) == exists else {
            throw Refusal(content: .failed((exists ? RuleError.noSuchService : .serviceExists).message))
        }
        guard let scheduler = SchedulerKind(name: request.schedulerName), table.isKnown(scheduler: scheduler),
            request.persistenceEngine == nil
        else { throw Refusal(content: .failed("Scheduler or persistence engine not found")) }
        var persistence: Persistence?
        if let timeout = request.persistenceTimeout {
            guard let length = request.netmask.prefixLength else {
                throw Refusal(content: .unusable("illegal virtual server persistent mask specified"))
            }
            persistence = Persistence(timeout: timeout, prefixLength: length)
        }
        var service = VirtualService(
            key: request.key, scheduler: scheduler, schedulerFlags: request.schedulerFlags, persistence: persistence,
            isOnePacket: request.isOnePacket)
        service.clientAddress = request.clientAddress
        service.sourceRate = request.sourceRate
        service.timeouts = request.timeouts
        service.tableSize = request.tableSize
        // What a configuration file or a cluster gave it, and ipvsadm has no word for, stays.
        service.masquerade = table.service(request.key)?.service.masquerade
        return service
    }

    /// A server's address must be one that a packet can be sent to (`net/netfilter/ipvs/ip_vs_ctl.c`,
    /// `ip_vs_new_dest`).
    private static func checkUnicast(
        _ destination: Destination, _ key: ServiceKey, _ table: any RuleTable
    ) throws(Refusal) {
        let address = destination.key.address
        guard address.isMulticast || address.isUnspecified || address.isLinkLocalV6 || address == .broadcastV4 else {
            return
        }
        let error: RuleError =
            table.service(key) == nil
            ? .serviceNotDefined
            : destination.lowerThreshold > destination.upperThreshold ? .outOfRange : .invalidArgument
        throw Refusal(content: .failed(error.message))
    }
}

extension IPAddress {
    fileprivate static let broadcastV4 = IPAddress(v4: .max)
}

extension RuleError {
    /// ipvsadm's words.
    public var message: String {
        switch self {
        case .serviceExists: "Service already exists"
        case .noSuchService: "No such service"
        case .serviceNotDefined: "Service not defined"
        case .destinationExists: "Destination already exists"
        case .noSuchDestination: "No such destination"
        case .outOfRange: "Numerical result out of range"
        case .familyMismatch: "Different address family is allowed only for tunneling servers"
        case .invalidArgument: "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        case .noLocalAddress:
            "FULLNAT needs a local address of the destination's family: add one with --add-laddr first"
        case .localAddressExists: "Local address already exists"
        case .noSuchLocalAddress: "No such local address"
        case .lastLocalAddress: "FULLNAT servers need it: it is the last local address of their family"
        case .unusableLocalAddress(let problem): "Local address not usable: \(problem.reason)"
        case .virtualAddressIsLocal: "The virtual address is a local address of a service; take it out there first"
        case .tableFull: "Memory allocation problem"
        }
    }
}

extension LocalAddressProblem {
    private static var ours: ClosedRange<UInt16> { LocalPortRing.firstPortBesideHost...LocalPortRing.lastPort }

    private static func text(_ ports: ClosedRange<UInt16>) -> String { "\(ports.lowerBound)-\(ports.upperBound)" }

    /// Why, in words.
    fileprivate var reason: String {
        switch self {
        case .unspecified: "it is unspecified, which no packet may come from"
        case .multicast: "it is a multicast address; a unicast one is needed"
        case .broadcast: "it is a broadcast or network address; one of a single host is needed"
        case .loopback: "it is a loopback address, which never leaves the host"
        case .linkLocal: "it is link-local; one that routers forward is needed"
        case .family: "an IPv4 service has IPv4 servers only, and they answer IPv4 addresses only"
        case .virtual: "it is the virtual address of a service"
        case .host: "it is an address of this host; Fairlead answers for local addresses itself, on no interface"
        case .hostPorts(let ports):
            "this host gives its own connections ports \(Self.text(ports)) (net.ipv4.ip_local_port_range), and Fairlead"
                + " would take \(Self.text(Self.ours)) of its address: narrow the range, or reserve these with sysctl"
                + " net.ipv4.ip_local_reserved_ports=\(Self.text(Self.ours))"
        case .neighbor: "a host on an attached network answers for it"
        }
    }
}
