import Balancer
import Wire

/// Looks a file over for what is allowed but will not work as it was meant.
public struct Lint: Sendable {
    let file: ConfigurationFile
    let network: LintNetwork?

    /// `network` is nil when nothing is known of it.
    public init(_ file: ConfigurationFile, network: LintNetwork? = nil) {
        self.file = file
        self.network = network
    }

    /// What was found, in the order of the file.
    public var findings: [LintFinding] {
        var findings = duplicates() + smallPools() + marks()
        for service in file.services {
            findings += portChanges(service) + weights(service) + persistence(service)
            findings += unattached(service) + shortMTU(service)
        }
        return findings.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
            .map(\.element)
    }

    /// Findings for which `apply` refuses the file.
    public var errors: [LintFinding] { findings.filter { $0.severity == .error } }

    /// What could not be looked at, and why.
    public var unchecked: [String] {
        guard let network else { return ["networks and MTUs: nothing is known of the director's interfaces"] }
        if network.interfaces.isEmpty { return ["networks and MTUs: the file names no interfaces"] }
        return network.interfaces.compactMap { interface in
            guard interface.mtu == nil || interface.networks == nil else { return nil }
            return "networks and MTU of \(interface.name): there is no such interface here; "
                + "run lint on the director, or give it mtu and networks in the file"
        }
    }

    func finding(
        _ severity: LintFinding.Severity, _ check: LintFinding.Check, _ service: ConfigurationFile.Service,
        line: Int? = nil, _ reason: String, fix: String
    ) -> LintFinding {
        LintFinding(
            severity: severity, check: check, line: line ?? service.line, subject: service.rule.service.key.title,
            reason: reason, fix: fix)
    }

    // MARK: Rules alone

    private func duplicates() -> [LintFinding] {
        var findings: [LintFinding] = []
        var firstLines: [ServiceKey: Int] = [:]
        for service in file.services {
            if let line = firstLines[service.rule.service.key] {
                findings.append(
                    finding(
                        .error, .duplicate, service, "the same service begins at line \(line) already",
                        fix: "put all destinations under one of the two, and remove the other"))
            } else {
                firstLines[service.rule.service.key] = service.line
            }
            var known: [DestinationKey: Int] = [:]
            for (destination, line) in zip(service.rule.destinations, service.destinationLines) {
                if let first = known.updateValue(line, forKey: destination.key) {
                    findings.append(
                        finding(
                            .error, .duplicate, service, line: line,
                            "real server \(destination.key.title) stands at line \(first) already",
                            fix: "remove one of the two; its weight says how much it gets"))
                }
            }
        }
        return findings
    }

    private func marks() -> [LintFinding] {
        let services = Set(file.services.map(\.rule.service.key))
        let interfaces = Set(file.interfaces.map(\.name))
        var findings: [LintFinding] = []
        for part in file.marks {
            let subject = "mark \(part.mark)"
            if let family = part.mark.rule.family,
                !services.contains(.mark(part.mark.rule.mark, family: family))
            {
                findings.append(
                    LintFinding(
                        severity: .warning, check: .unusedMark, line: part.line, subject: subject,
                        reason: "no service has this mark, so the packets stay the host's",
                        fix: "add a service with fwmark: \(part.mark.rule.mark)"
                            + "\(family == .v6 ? " and family: ipv6" : ""), or remove the rule"))
            }
            if let name = part.mark.interface, !interfaces.isEmpty, !interfaces.contains(name) {
                findings.append(
                    LintFinding(
                        severity: .error, check: .unknownInterface, line: part.line, subject: subject,
                        reason: "\(name) is none of the interfaces of this file, so nothing is received there",
                        fix: "add it to interfaces, or name one of \(interfaces.sorted().joined(separator: ", "))"))
            }
        }
        return findings
    }

    private func portChanges(_ service: ConfigurationFile.Service) -> [LintFinding] {
        let port = service.rule.service.key.port
        return zip(service.rule.destinations, service.destinationLines).compactMap { destination, line in
            let method = destination.method
            guard method == .directRouting || method == .tunneling, destination.key.port != port else { return nil }
            let name = method == .tunneling ? "a tunnel" : "direct routing"
            let to = port == 0 ? "the port the client asked for" : "port \(port)"
            return finding(
                .error, .portChange, service, line: line,
                "\(name) leaves the packet's port as it is, so \(destination.key.address) gets it at \(to) and not at "
                    + "\(destination.key.port)",
                fix: "leave the port out and have the real server listen on \(to), or use the method nat or fullnat")
        }
    }

    private func weights(_ service: ConfigurationFile.Service) -> [LintFinding] {
        guard !service.rule.destinations.contains(where: { $0.weight > 0 }) else { return [] }
        let isEmpty = service.rule.destinations.isEmpty
        return [
            finding(
                .warning, .noWeight, service,
                isEmpty
                    ? "it has no destinations, so every new connection is refused"
                    : "every destination has weight 0, so every new connection is refused",
                fix: isEmpty ? "add a destination" : "give at least one destination a weight of 1 or more")
        ]
    }

    private func persistence(_ service: ConfigurationFile.Service) -> [LintFinding] {
        let scheduler = service.rule.service.scheduler
        guard let persistence = service.rule.service.persistence,
            [.sh, .dh, .mh, .maglev, .rendezvous].contains(scheduler)
        else { return [] }
        let bits = persistence.prefixLength
        let isWhole = bits == service.rule.service.key.family.bits
        return [
            finding(
                .warning, .persistenceAndHash, service,
                "\(scheduler.name) sends a client to the same real server by its hash, and persistence does so by "
                    + "memory: for \(persistence.timeout) s the memory wins, also when the hash has changed",
                fix: isWhole
                    ? "leave persistence out, or use wlc or wrr with it"
                    : "use wlc or wrr to keep /\(bits) networks together, or leave persistence out")
        ]
    }

    // MARK: Pools

    /// Ports of one local address that connections can have: 1024 to 65535.
    static let portsOfAnAddress = 64512

    /// Services that share local addresses share their ports, so they are judged together.
    private func smallPools() -> [LintFinding] {
        var findings: [LintFinding] = []
        var left = file.services.filter { service in
            service.rule.destinations.contains { $0.method == .fullNAT }
                || service.rule.service.masquerade != nil && !service.rule.localAddresses.isEmpty
        }
        while let first = left.first {
            var group = [first]
            var addresses = Set(first.rule.localAddresses)
            left.removeFirst()
            while let place = left.firstIndex(where: { !addresses.isDisjoint(with: $0.rule.localAddresses) }) {
                addresses.formUnion(left[place].rule.localAddresses)
                group.append(left.remove(at: place))
            }
            let expected = group.reduce(0) { $0 + ($1.expectedConnections ?? 0) }
            let ports = addresses.count * Self.portsOfAnAddress
            guard expected > ports else { continue }
            let needed = (expected + Self.portsOfAnAddress - 1) / Self.portsOfAnAddress
            let sharers = group.count == 1 ? "" : " by \(group.count) services that share them"
            findings.append(
                finding(
                    .warning, .smallPool, first,
                    "\(expected) connections are expected\(sharers), but \(addresses.count) local "
                        + "address\(addresses.count == 1 ? " has" : "es have") \(ports) ports",
                    fix: "give the pool \(needed) addresses or more"))
        }
        return findings
    }
}
