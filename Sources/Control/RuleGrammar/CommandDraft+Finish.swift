import Balancer
import Wire

extension CommandDraft {
    /// The command, once every option has been read and its parameters fit together.
    func finish(_ name: CommandName, timeouts: Timeouts) throws(UsageError) -> Command {
        let flags = try SchedulerFlags(names: flagNames, scheduler: schedulerName)
        try CommandRules.check(name, given)
        switch name {
        case .addService: return .addService(try service(flags))
        case .editService: return .editService(try service(flags))
        case .deleteService: return .deleteService(try serviceKey(name))
        case .addDestination:
            return .addDestination(try destination(name), service: try serviceKey(name))
        case .editDestination:
            return .editDestination(try destination(name), service: try serviceKey(name))
        case .deleteDestination:
            return .deleteDestination(try serverKey(name), service: try serviceKey(name))
        case .clear: return .clear
        case .list: return .list(try list())
        case .zero: return .zero(key)
        case .setTimeouts: return .setTimeouts(timeouts)
        case .save:
            return .save(
                SaveRequest(
                    isNumeric: given.contains(.numeric), includesThresholds: given.contains(.thresholds)))
        case .restore: return .restore
        case .startDaemon: return .startDaemon
        case .stopDaemon: return .stopDaemon
        case .addLocalAddress:
            return .addLocalAddress(try local(name), service: try serviceKey(name))
        case .deleteLocalAddress:
            return .deleteLocalAddress(try local(name), service: try serviceKey(name))
        case .listLocalAddresses: return .listLocalAddresses(key)
        }
    }

    private func serviceKey(_ name: CommandName) throws(UsageError) -> ServiceKey {
        guard let key else { throw Self.missing(.serviceAddress, name) }
        return key
    }

    private func serverKey(_ name: CommandName) throws(UsageError) -> DestinationKey {
        guard let server else { throw Self.missing(.realServer, name) }
        return server
    }

    private func local(_ name: CommandName) throws(UsageError) -> IPAddress {
        guard let localAddress else { throw Self.missing(.localAddress, name) }
        return localAddress
    }

    private static func missing(_ parameter: Parameter, _ name: CommandName) -> UsageError {
        UsageError("You need to supply the '\(parameter.rawValue)' option for the '\(name.rawValue)' command")
    }

    private func service(_ flags: SchedulerFlags) throws(UsageError) -> ServiceRequest {
        let key = try serviceKey(.addService)
        let isOnePacket = given.contains(.onePacket)
        if case .address(let transportProtocol, _, let port) = key {
            guard port != 0 || persistenceTimeout != nil else {
                throw UsageError("Zero port specified for non-persistent service")
            }
            guard !isOnePacket || transportProtocol == IPProtocol.udp else {
                throw UsageError("One-Packet Scheduling is only for UDP virtual services")
            }
            guard clientAddress.isUsable(with: transportProtocol) else {
                throw UsageError(
                    clientAddress == .tcpOption
                        ? "TOA is only for TCP virtual services"
                        : "the PROXY protocol is only for TCP and UDP virtual services")
            }
        }
        let schedulerName = schedulerName.isEmpty ? SchedulerKind.wlc.name : schedulerName
        try ServiceOptions.check(tableSize: tableSize, schedulerName: schedulerName)
        return ServiceRequest(
            key: key, schedulerName: schedulerName,
            schedulerFlags: flags, persistenceTimeout: persistenceTimeout,
            netmask: netmask ?? (key.family == .v4 ? .v4(.max) : .v6(128)), isOnePacket: isOnePacket,
            persistenceEngine: persistenceEngine, clientAddress: clientAddress,
            sourceRate: try sourceRate?.rate(key.family), timeouts: timeouts, tableSize: tableSize)
    }

    private func destination(_ name: CommandName) throws(UsageError) -> Destination {
        let service = try serviceKey(name)
        var server = try serverKey(name)
        if case .address(_, _, let port) = service, method == .directRouting || method == .tunneling {
            // Direct routing and tunnels do not change ports; ipvsadm puts the service's, whatever was written.
            server.port = port
        }
        let isAcrossFamilies = server.address.family != service.family
        if method == .fullNAT, isAcrossFamilies, service.family == .v4 {
            throw UsageError("FULLNAT under an IPv4 service needs IPv4 servers; only IPv6 services may have either")
        }
        guard !isAcrossFamilies || method == .tunneling || method == .fullNAT else {
            throw UsageError("Different address family is allowed only for tunneling servers")
        }
        return Destination(
            key: server, method: method, weight: weight, upperThreshold: upperThreshold,
            lowerThreshold: lowerThreshold, tunnel: try tunnel())
    }

    private func tunnel() throws(UsageError) -> TunnelOptions {
        guard method == .tunneling else {
            guard tunnelName == nil, given.isDisjoint(with: CommandRules.tunnelParameters) else {
                throw UsageError("Tunnel options conflict with forward method")
            }
            return TunnelOptions()
        }
        let name = tunnelName ?? "ipip"
        try CommandRules.check(tunnel: name, given)
        let checksum: TunnelChecksum =
            given.contains(.tunnelRemoteChecksum) ? .remote : given.contains(.tunnelChecksum) ? .full : .none
        return TunnelOptions(
            kind: name == "gue" ? .gue : name == "gre" ? .gre : .ipip, port: tunnelPort, checksum: checksum)
    }

    private func list() throws(UsageError) -> ListRequest {
        var request = ListRequest()
        request.isNumeric = given.contains(.numeric)
        request.isUnsorted = given.contains(.noSort)
        request.isExact = given.contains(.exact)
        if given.contains(.connection) {
            request.subject = .connections
        } else if let key {
            request.subject = .service(key)
        } else if given.contains(.timeout) {
            request.subject = .timeouts
        } else if given.contains(.daemon) {
            request.subject = .daemon
        }
        let columns: [(Parameter, ListRequest.Columns)] = [
            (.statistics, .statistics), (.rate, .rates), (.thresholds, .thresholds),
            (.persistentConnections, .persistentConnections), (.tunnelInformation, .tunnels),
        ]
        request.columns = columns.first { given.contains($0.0) }?.1 ?? .standard
        try checkColumns(request)
        return request
    }

    /// Timeouts and the sync daemon have no columns; a listing of connections knows persistence data only.
    private func checkColumns(_ request: ListRequest) throws(UsageError) {
        var conflicting: Set<Parameter> = [.statistics, .rate, .thresholds]
        switch request.subject {
        case .services, .service: return
        case .connections: break
        case .timeouts, .daemon: conflicting.insert(.persistentConnections)
        }
        guard given.isDisjoint(with: conflicting) else { throw UsageError("options conflicts in the list command") }
    }
}
