extension RulePlan {
    /// For people: a line a change, then the sums.
    public var text: String {
        var lines: [String] = []
        for service in services {
            let details = service.details.isEmpty ? "" : "  (\(service.details.joined(separator: ", ")))"
            lines.append("\(service.action.sign) \(service.service)\(details)")
            for destination in service.destinations {
                let details = destination.details.isEmpty ? "" : "  (\(destination.details.joined(separator: ", ")))"
                lines.append(
                    "    \(destination.action.sign) \(destination.destination)\(details)\(destination.remark)")
            }
            if let rehash = service.rehash {
                lines.append("    \(rehash.text), \(service.effect.rehashed) established")
            }
            if service.unchangedDestinations > 0 {
                lines.append("      \(Self.count(service.unchangedDestinations, "destination")) unchanged")
            }
        }
        lines += marks
        for setting in settings { lines.append("~ \(setting)") }
        for remark in needsRestart { lines.append("! \(remark); needs a restart of fairlead run") }
        if !lines.isEmpty { lines.append("") }
        lines.append(isEmpty ? "nothing to change" : summary)
        if !isEmpty { lines.append(effect.text) }
        return lines.joined(separator: "\n") + "\n"
    }

    private var summary: String {
        let services = Self.counts(self.services.map(\.action), unchanged: unchangedServices)
        let destinations = Self.counts(
            self.services.flatMap { $0.destinations.map(\.action) }, unchanged: unchangedDestinations)
        return "services: \(services)\ndestinations: \(destinations)"
    }

    private static func counts(_ actions: [Action], unchanged: Int) -> String {
        func count(_ action: Action) -> Int { actions.count { $0 == action } }
        return "\(count(.add)) added, \(count(.change)) changed, \(count(.remove)) removed, \(unchanged) unchanged"
    }

    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

extension RulePlan.Action {
    var sign: String {
        switch self {
        case .add: "+"
        case .change: "~"
        case .remove: "-"
        }
    }
}

extension RulePlan.Effect {
    /// `established connections: 3 cut, 0 drained, 12 re-hashed`.
    var text: String { "established connections: \(cut) cut, \(drained) drained, about \(rehashed) re-hashed" }
}

extension RulePlan.DestinationChange {
    fileprivate var remark: String {
        if effect.cut > 0 { return ": cuts \(RulePlan.count(effect.cut, "established connection"))" }
        if effect.drained > 0 { return ": drains \(RulePlan.count(effect.drained, "established connection"))" }
        return ""
    }
}

extension RulePlan.Rehash {
    fileprivate var text: String {
        "\(scheduler): \(Self.percent(moved)) of the clients go to another real server with their next connection "
            + "(\(Self.percent(unavoidable)) unavoidably)"
    }

    /// With one decimal.
    private static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }
}
