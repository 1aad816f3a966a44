/// What the kernel keeps under `net.ipv4.vs.*`, by the same names, with the same defaults and meaning
/// (`Documentation/networking/ipvs-sysctl.rst`).
public enum Setting: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case amDroprate, amemthresh, backupOnly, cacheBypass, connReuseMode, conntrack, dropEntry, dropPacket
    case expireNodestConn, expireQuiescentTemplate, ignoreTunneled, natIcmpSend, pmtuDisc, runEstimation, scheduleIcmp
    case secureTcp, sloppySctp, sloppyTcp, snatReroute, syncPersistMode, syncPorts, syncQlenMax, syncRefreshPeriod
    case syncRetries, syncSockSize, syncThreshold, syncVersion, lblcExpiration, lblcrExpiration
    /// Not the kernel's: whether a template whose time is up while connections of it live goes on leading clients to its
    /// destination, 60 s at a time. 0: it leads nobody any more (docs/control.md).
    case persistentRearm

    /// The name below `net.ipv4.vs.`, e.g. `conn_reuse_mode`.
    public var name: String {
        var text = ""
        for character in String(describing: self) {
            if character.isUppercase { text += "_" }
            text += character.lowercased()
        }
        return text
    }

    /// The setting called `name`, with or without `net.ipv4.vs.` (dots or slashes); nil when there is none.
    public init?(name: some StringProtocol) {
        let words = name.split(whereSeparator: { $0 == "." || $0 == "/" })
        guard let last = words.last, words.count == 1 || words.dropLast() == ["net", "ipv4", "vs"],
            let setting = Self.allCases.first(where: { $0.name == last })
        else { return nil }
        self = setting
    }

    /// The kernel's default.
    public var defaultValue: Int32 {
        switch self {
        case .amDroprate: 10
        case .amemthresh: 1024
        case .connReuseMode, .persistentRearm, .pmtuDisc, .runEstimation, .snatReroute, .syncPorts, .syncVersion: 1
        case .syncThreshold: 3
        case .lblcExpiration, .lblcrExpiration: 24 * 60 * 60
        default: 0
        }
    }

    /// Whether the kernel does not have it.
    public var isBeyondKernel: Bool { self == .persistentRearm }

    /// The values it takes (`ip_vs_ctl.c`, `proc_do_defense_mode`; the others are not bounded there).
    public var range: ClosedRange<Int32> {
        switch self {
        case .dropEntry, .dropPacket, .secureTcp: 0...3
        default: 0...Int32.max
        }
    }

    /// Why the setting does nothing in user space; nil where it does what it does in the kernel.
    public var reasonItIsInert: String? {
        switch self {
        case .backupOnly, .syncPersistMode, .syncPorts, .syncQlenMax, .syncRefreshPeriod, .syncRetries, .syncSockSize,
            .syncThreshold, .syncVersion:
            "there is no connection synchronisation"
        case .conntrack: "there is no connection tracking beside the connection table"
        case .snatReroute: "replies are always routed by the director's own table"
        case .cacheBypass: "there is no transparent cache cluster"
        case .ignoreTunneled: "packets of other protocols are left to the host in any case"
        default: nil
        }
    }
}
