import Balancer
import Wire

/// The text of `-S`: one invocation a line, that `-R` and ipvsadm read again.
struct SavedRules {
    private let request: SaveRequest
    private var names: EndpointNames

    init(_ request: SaveRequest, resolver: any NameResolver) {
        self.request = request
        names = EndpointNames(resolver: request.isNumeric ? nil : resolver)
    }

    /// Every service, each followed by its local addresses and then its destinations, sorted as they are listed: FULLNAT
    /// is refused before the service has a local address.
    mutating func lines(_ services: [ServiceStatus]) -> String {
        var text = ""
        for status in RuleOrder.sorted(services) {
            let key = words(status.service.key)
            text += "-A \(key)\(words(status.service))\n"
            // ipvsadm has no word for a masquerade rule, without which the host's own address cannot be a local one.
            let isForMasquerading =
                status.service.masquerade != nil && !status.destinations.contains { $0.destination.method == .fullNAT }
            for local in isForMasquerading ? [] : status.localAddresses {
                text += "-P \(key) -z \(local.address)\n"
            }
            for destination in RuleOrder.sorted(status.destinations) {
                let server = names.text(destination.destination.key, status.service.key.transportProtocol)
                text += "-a \(key) -r \(server)\(words(destination.destination))\n"
            }
        }
        return text
    }

    private mutating func words(_ key: ServiceKey) -> String {
        switch key {
        case .mark(let mark, let family): return "-f \(Int32(bitPattern: mark))\(family == .v6 ? " -6" : "")"
        case .address(let transportProtocol, let address, let port):
            let option =
                switch transportProtocol {
                case IPProtocol.udp: "-u"
                case IPProtocol.sctp: "--sctp-service"
                default: "-t"
                }
            return "\(option) \(names.text(address, port, transportProtocol))"
        }
    }

    private func words(_ service: VirtualService) -> String {
        var text = " -s \(service.scheduler.name)"
        if let persistence = service.persistence {
            text += " -p \(persistence.timeout)"
            if let mask = persistence.listedMask(service.key.family) { text += " -M \(mask)" }
        }
        if service.isOnePacket { text += " -o" }
        text += service.clientAddress.option
        if !service.schedulerFlags.isEmpty {
            text += " -b \(service.schedulerFlags.names(scheduler: service.scheduler))"
        }
        return text + ServiceOptions.words(service)
    }

    private func words(_ destination: Destination) -> String {
        var text = ""
        switch destination.method {
        case .masquerading: text += " -m"
        case .tunneling: text += " -i"
        case .directRouting, .localNode: text += " -g"
        case .fullNAT: text += " --fullnat"
        }
        text += " -w \(destination.weight)"
        if destination.method == .tunneling { text += words(destination.tunnel) }
        if request.includesThresholds, destination.upperThreshold != 0 || destination.lowerThreshold != 0 {
            text += " -x \(destination.upperThreshold) -y \(destination.lowerThreshold)"
        }
        return text
    }

    private func words(_ tunnel: TunnelOptions) -> String {
        let sum =
            switch tunnel.checksum {
            case .none: " --tun-nocsum"
            case .full: " --tun-csum"
            case .remote: " --tun-remcsum"
            }
        return switch tunnel.kind {
        case .ipip: " --tun-type ipip"
        case .gue: " --tun-type gue --tun-port \(tunnel.port)\(sum)"
        case .gre: " --tun-type gre\(sum)"
        }
    }
}

extension ClientAddressCarrier {
    /// The option that asks for it, a blank in front; nothing for none.
    var option: String {
        switch self {
        case .none: ""
        case .tcpOption: " --toa"
        case .proxyProtocol: " --proxy-protocol v2"
        }
    }
}
