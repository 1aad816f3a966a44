import Balancer
import Wire

/// The text of `-L` for services and their destinations: column for column what ipvsadm 1.31 prints.
struct ServiceListing {
    private let request: ListRequest
    private var names: EndpointNames
    private var text = ""

    init(_ request: ListRequest, resolver: any NameResolver) {
        self.request = request
        names = EndpointNames(resolver: request.isNumeric ? nil : resolver)
    }

    /// The first line of a listing of every service.
    static func versionLine(connectionTableSize: Int) -> String {
        "IP Virtual Server version 1.2.1 (size=\(connectionTableSize))\n"
    }

    /// Title and lines.
    mutating func lines(_ services: [ServiceStatus]) -> String {
        text = title
        for status in request.isUnsorted ? services : RuleOrder.sorted(services) {
            add(status)
            let destinations = request.isUnsorted ? status.destinations : RuleOrder.sorted(status.destinations)
            for destination in destinations {
                add(destination, transportProtocol: status.service.key.transportProtocol)
            }
        }
        return text
    }

    private var title: String {
        switch request.columns {
        case .statistics:
            """
            Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
              -> RemoteAddress:Port

            """
        case .rates:
            """
            Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS
              -> RemoteAddress:Port

            """
        case .thresholds: Self.title("Uthreshold", 10, "Lthreshold", 10)
        case .persistentConnections: Self.title("Weight", 9, "PersistConn", 11)
        case .tunnels:
            """
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn

            """
        case .standard:
            """
            Prot LocalAddress:Port Scheduler Flags
              -> RemoteAddress:Port           Forward Weight ActiveConn InActConn

            """
        }
    }

    private static func title(_ first: String, _ width: Int, _ second: String, _ secondWidth: Int) -> String {
        "Prot LocalAddress:Port".left(33) + " " + first.left(width) + " " + second.left(secondWidth) + " "
            + "ActiveConn".left(10) + " " + "InActConn".left(10) + "\n  -> RemoteAddress:Port\n"
    }

    private mutating func add(_ status: ServiceStatus) {
        let name = name(of: status.service.key)
        switch request.columns {
        case .statistics: text += name.left(33) + numbers(status.counters)
        case .rates: text += name.left(33) + numbers(status.rates)
        case .thresholds, .persistentConnections, .tunnels, .standard:
            text += "\(name) \(status.service.scheduler.name)\(Self.flags(status.service))"
        }
        text += "\n"
    }

    private mutating func name(of key: ServiceKey) -> String {
        switch key {
        case .mark(let mark, let family): "FWM  \(Int32(bitPattern: mark))\(family == .v6 ? " IPv6" : "")"
        case .address(let transportProtocol, let address, let port):
            IPProtocol.listedName(transportProtocol).left(4) + " " + names.text(address, port, transportProtocol)
        }
    }

    private static func flags(_ service: VirtualService) -> String {
        var text = ""
        if !service.schedulerFlags.isEmpty {
            text += " (\(service.schedulerFlags.names(scheduler: service.scheduler)))"
        }
        if let persistence = service.persistence {
            text += " persistent \(persistence.timeout)"
            if let mask = persistence.listedMask(service.key.family) { text += " mask \(mask)" }
        }
        switch service.clientAddress {
        case .none: break
        case .tcpOption: text += " toa"
        case .proxyProtocol: text += " proxy-protocol v2"
        }
        if service.isOnePacket { text += " ops" }
        return text + ServiceOptions.listed(service)
    }

    private func numbers(_ counters: TrafficCounters) -> String {
        [
            counters.connections, counters.inPackets, counters.outPackets, counters.inBytes, counters.outBytes,
        ].map { TrafficNumber.text($0, isExact: request.isExact) }.joined()
    }

    private mutating func add(_ status: DestinationStatus, transportProtocol: UInt8?) {
        let destination = status.destination
        text += "  -> " + names.text(destination.key, transportProtocol).left(28)
        let connections = " \(status.activeConnections.left(10)) \(status.inactiveConnections.left(10))\n"
        switch request.columns {
        case .statistics: text += numbers(status.counters) + "\n"
        case .rates: text += numbers(status.rates) + "\n"
        case .thresholds:
            text += " \(destination.upperThreshold.left(10)) \(destination.lowerThreshold.left(10))" + connections
        case .persistentConnections:
            text += " \(destination.weight.left(9)) \(status.persistentConnections.left(11))" + connections
        case .tunnels:
            text +=
                " " + destination.method.listedName.left(7) + " " + destination.listedTunnel.left(13)
                + " \(destination.weight.left(6))" + connections
        case .standard:
            text += " " + destination.method.listedName.left(7) + " \(destination.weight.left(6))" + connections
        }
    }
}

extension Persistence {
    /// The mask as listed and saved; nil when the whole address counts.
    func listedMask(_ family: AddressFamily) -> String? {
        guard prefixLength < family.bits else { return nil }
        return family == .v6 ? String(prefixLength) : IPAddress(v4: .max).masked(prefixLength).description
    }
}

extension Destination {
    /// The column `TunnelInfo`.
    fileprivate var listedTunnel: String {
        guard method == .tunneling else { return "n/a" }
        let sum =
            switch tunnel.checksum {
            case .none: "-c"
            case .full: "+c"
            case .remote: "r+c"
            }
        return switch tunnel.kind {
        case .ipip: "ipip"
        case .gue: "gue:\(tunnel.port):\(sum)"
        case .gre: "gre:\(sum)"
        }
    }
}
