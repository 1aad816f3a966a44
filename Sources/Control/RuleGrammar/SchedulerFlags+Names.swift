import Balancer

extension SchedulerFlags {
    /// From a comma-separated list (`-b`); `flag-N` goes with every scheduler, the others with their own.
    init(names: String, scheduler: String) throws(UsageError) {
        var flags: SchedulerFlags = []
        for name in names.split(separator: ",") {
            let bits: [SchedulerFlags] = [.fallback, .port, .third]
            if let flag = bits.first(where: { $0.genericName == name }) {
                flags.insert(flag)
                continue
            }
            let parts = name.split(separator: "-", maxSplits: 1)
            guard parts.count == 2, let owner = parts.first, owner == "sh" || owner == "mh",
                let flag = [.fallback, .port].first(where: { (flag: SchedulerFlags) in flag.suffix == String(parts[1]) }
                )
            else { throw UsageError("invalid scheduler flag `\(name)'") }
            guard owner == scheduler else { throw UsageError("incompatible scheduler flag `\(name)'") }
            flags.insert(flag)
        }
        self = flags
    }

    /// The names with which a scheduler's flags are listed, separated by commas.
    func names(scheduler: SchedulerKind) -> String {
        [.fallback, .port, .third].filter { contains($0) }.map { (flag: SchedulerFlags) in
            guard scheduler == .sh || scheduler == .mh, let suffix = flag.suffix else { return flag.genericName }
            return "\(scheduler.name)-\(suffix)"
        }.joined(separator: ",")
    }

    private var genericName: String {
        switch self {
        case .fallback: "flag-1"
        case .port: "flag-2"
        default: "flag-3"
        }
    }

    private var suffix: String? {
        switch self {
        case .fallback: "fallback"
        case .port: "port"
        default: nil
        }
    }
}
