import Balancer
import Wire

/// The service options that ipvsadm does not have, in words: read by `-A` and `-E`, written by `-S`, shown by `-L`.
///
/// - `--source-rate N[/s|/m|/h][,burst=N][,prefix=N]`: new connections that one source may open.
/// - `--conn-timeout TCP[,TCPFIN,UDP]`: seconds as in `--set`; one number is for TCP and UDP, as DPVS's tool has it. 0
///   leaves that one to `--set`.
/// - `--table-size N`: places of the scheduler's table.
enum ServiceOptions {
    /// What `--source-rate` says, before the family is known.
    struct Rate: Hashable, Sendable {
        var connections: UInt32
        var period = SourceRate.Period.second
        var burst: UInt32?
        var prefixLength: Int?

        /// As the value of a service.
        func rate(_ family: AddressFamily) throws(UsageError) -> SourceRate {
            let rate = SourceRate(
                connections: connections, period: period, burst: burst, prefixLength: prefixLength, family: family)
            guard rate.isUsable(family) else {
                throw UsageError(
                    "illegal source rate specified: prefix is at most \(family.bits), and a burst must be refilled "
                        + "within 10 days")
            }
            return rate
        }
    }

    private static let letters: [(SourceRate.Period, Character)] = [(.second, "s"), (.minute, "m"), (.hour, "h")]

    /// Understand the value of `--source-rate`.
    static func rate(_ text: String) throws(UsageError) -> Rate {
        let problem = UsageError(
            "illegal source rate `\(text)' specified: N[/s|/m|/h][,burst=N][,prefix=N] with numbers from 1 to "
                + "\(SourceRate.largest)")
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        let amount = (parts.popFirst() ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let number = amount.first, amount.count <= 2, let connections = count(number) else { throw problem }
        var rate = Rate(connections: connections)
        if amount.count > 1 {
            guard let period = letters.first(where: { String($0.1) == amount[1] }) else { throw problem }
            rate.period = period.0
        }
        for part in parts {
            let words = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard words.count == 2, let number = count(words[1]) else { throw problem }
            switch words[0] {
            case "burst" where rate.burst == nil: rate.burst = number
            case "prefix" where rate.prefixLength == nil: rate.prefixLength = Int(number)
            default: throw problem
            }
        }
        return rate
    }

    private static func count(_ text: String) -> UInt32? {
        guard RuleNumber.isDigits(text), let number = RuleNumber.number(text, in: 1...Int64(SourceRate.largest)) else {
            return nil
        }
        return UInt32(number)
    }

    /// Understand the value of `--conn-timeout`; nil where it leaves all to the settings.
    static func timeouts(_ text: String) throws(UsageError) -> Timeouts? {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 1 || parts.count == 3 else {
            throw UsageError("illegal conn-timeout `\(text)' specified: TCP or TCP,TCPFIN,UDP in seconds")
        }
        let tcp = try CommandDraft.timeout(parts[0], minimum: 0)
        var timeouts = Timeouts(tcp: tcp, tcpFin: 0, udp: tcp)
        if parts.count == 3 {
            timeouts.tcpFin = try CommandDraft.timeout(parts[1], minimum: 0)
            timeouts.udp = try CommandDraft.timeout(parts[2], minimum: 0)
        }
        return timeouts == Timeouts(tcp: 0, tcpFin: 0, udp: 0) ? nil : timeouts
    }

    /// Understand the value of `--table-size`; whether the scheduler takes it is seen when its name is known.
    static func tableSize(_ text: String) throws(UsageError) -> Int {
        guard let size = RuleNumber.number(text, in: 1...Int64(Int32.max)) else {
            throw UsageError("illegal table size specified")
        }
        return Int(size)
    }

    /// Whether a scheduler takes a table of this size.
    static func check(tableSize: Int, schedulerName: String) throws(UsageError) {
        guard tableSize != 0, let scheduler = SchedulerKind(name: schedulerName) else { return }
        let sizes = scheduler.tableSizes
        guard !sizes.contains(tableSize) else { return }
        let list = sizes.map(String.init).joined(separator: " ")
        throw UsageError(
            sizes.isEmpty
                ? "scheduler \(schedulerName) takes no table size"
                : "illegal table size specified: scheduler \(schedulerName) takes \(list)")
    }

    /// The options of a service in words that `-A` reads, each with a blank before it.
    static func words(_ service: VirtualService) -> String {
        values(service).map { " --\($0.name) \($0.value)" }.joined()
    }

    /// The same for the listing.
    static func listed(_ service: VirtualService) -> String {
        values(service).map { " \($0.name) \($0.value)" }.joined()
    }

    private static func values(_ service: VirtualService) -> [(name: String, value: String)] {
        var values: [(String, String)] = []
        if let rate = service.sourceRate {
            let letter = letters.first { $0.0 == rate.period }.map { String($0.1) } ?? "s"
            var text = "\(rate.connections)/\(letter)"
            if rate.burst != rate.connections { text += ",burst=\(rate.burst)" }
            if rate.prefixLength != SourceRate.defaultPrefixLength(service.key.family) {
                text += ",prefix=\(rate.prefixLength)"
            }
            values.append((Parameter.sourceRate.rawValue, text))
        }
        if let timeouts = service.timeouts {
            values.append(
                (Parameter.connectionTimeout.rawValue, "\(timeouts.tcp),\(timeouts.tcpFin),\(timeouts.udp)"))
        }
        if service.tableSize != 0 { values.append((Parameter.tableSize.rawValue, "\(service.tableSize)")) }
        return values
    }
}
