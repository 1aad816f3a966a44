/// What an option of the command line stands for: a command, or something that a command wants to know.
enum OptionMeaning: Sendable, Hashable {
    /// The command itself; it comes first.
    case command(CommandName)
    /// A parameter; some parameters are written by several options (`-t`, `-u`, `-f` are all the service's address).
    case parameter(Parameter)
    /// `-h`.
    case help
    /// `--version`.
    case version
    /// `--sort`, which is what happens anyway.
    case sort
    /// `-6`: the mark given before is for IPv6.
    case ipv6
}

/// The commands, with the names that messages call them by.
enum CommandName: String, Sendable, CaseIterable {
    case addService = "add-service"
    case editService = "edit-service"
    case deleteService = "delete-service"
    case clear = "flush"
    case addDestination = "add-server"
    case editDestination = "edit-server"
    case deleteDestination = "delete-server"
    case list
    case setTimeouts = "set"
    case startDaemon = "start-daemon"
    case stopDaemon = "stop-daemon"
    case restore
    case save
    case zero
    case addLocalAddress = "add-laddr"
    case deleteLocalAddress = "del-laddr"
    case listLocalAddresses = "get-laddr"

    /// Whether it is a command of DPVS's ipvsadm about local addresses.
    var isOfLocalAddresses: Bool {
        self == .addLocalAddress || self == .deleteLocalAddress || self == .listLocalAddresses
    }
}

/// The parameters, in the order in which they are checked, with the names that messages call them by.
enum Parameter: String, Sendable, CaseIterable {
    case numeric
    case connection
    case serviceAddress = "service-address"
    case scheduler
    case persistent
    case netmask
    case realServer = "real-server"
    case forwardingMethod = "forwarding-method"
    case weight
    case upperThreshold = "u-threshold"
    case lowerThreshold = "l-threshold"
    case multicastInterface = "mcast-interface"
    case timeout
    case daemon
    case statistics = "stats"
    case rate
    case thresholds
    case persistentConnections = "persistent-conn"
    case noSort = "nosort"
    case syncIdentifier = "syncid"
    case exact
    case onePacket = "ops"
    case persistenceEngine = "pe"
    case schedulerFlags = "sched-flags"
    case syncMaximumLength = "sync-maxlen"
    case multicastGroup = "mcast-group"
    case multicastPort = "mcast-port"
    case multicastTTL = "mcast-ttl"
    case tunnelInformation = "tun-info"
    case tunnelType = "tun-type"
    case tunnelPort = "tun-port"
    case tunnelNoChecksum = "tun-nocsum"
    case tunnelChecksum = "tun-csum"
    case tunnelRemoteChecksum = "tun-remcsum"
    // Not ipvsadm's.
    case localAddress = "local-address"
    case interfaceName = "ifname"
    case clientAddress = "client-address"
    case sourceRate = "source-rate"
    case connectionTimeout = "conn-timeout"
    case tableSize = "table-size"
}

/// Whether an option takes a value.
enum OptionArgument: Sendable {
    case none
    case required
    /// Taken when there is a next word that does not begin with a dash (`-p`).
    case optional
}

/// One option: how it is written and what it stands for.
struct OptionSpecification: Sendable {
    /// The name after two dashes.
    let name: String
    /// The letter after one dash; nil when there is none.
    let letter: Unicode.Scalar?
    /// Whether a value follows.
    let argument: OptionArgument
    /// What it stands for.
    let meaning: OptionMeaning
    /// The commands that know it; nil: all. To the others it is an unknown option, as it is to ipvsadm 1.31.
    let commands: [CommandName]?

    init(
        _ name: String, _ letter: Unicode.Scalar?, _ meaning: OptionMeaning, _ argument: OptionArgument = .none,
        of commands: [CommandName]? = nil
    ) {
        self.name = name
        self.letter = letter
        self.argument = argument
        self.meaning = meaning
        self.commands = commands
    }
}

/// Every option of ipvsadm 1.31 (`ipvsadm(8)`), those of FULLNAT as DPVS calls them (`tools/ipvsadm/ipvsadm.c`), then ours.
enum OptionTable {
    static let options: [OptionSpecification] = [
        OptionSpecification("add-service", "A", .command(.addService)),
        OptionSpecification("edit-service", "E", .command(.editService)),
        OptionSpecification("delete-service", "D", .command(.deleteService)),
        OptionSpecification("clear", "C", .command(.clear)),
        OptionSpecification("list", "L", .command(.list)),
        OptionSpecification("list", "l", .command(.list)),
        OptionSpecification("zero", "Z", .command(.zero)),
        OptionSpecification("add-server", "a", .command(.addDestination)),
        OptionSpecification("edit-server", "e", .command(.editDestination)),
        OptionSpecification("delete-server", "d", .command(.deleteDestination)),
        OptionSpecification("set", nil, .command(.setTimeouts)),
        OptionSpecification("restore", "R", .command(.restore)),
        OptionSpecification("save", "S", .command(.save)),
        OptionSpecification("start-daemon", nil, .command(.startDaemon), .required),
        OptionSpecification("stop-daemon", nil, .command(.stopDaemon), .required),
        OptionSpecification("help", "h", .help),
        OptionSpecification("version", "v", .version),
        OptionSpecification("tcp-service", "t", .parameter(.serviceAddress), .required),
        OptionSpecification("udp-service", "u", .parameter(.serviceAddress), .required),
        OptionSpecification("sctp-service", nil, .parameter(.serviceAddress), .required),
        OptionSpecification("fwmark-service", "f", .parameter(.serviceAddress), .required),
        OptionSpecification("scheduler", "s", .parameter(.scheduler), .required),
        OptionSpecification("persistent", "p", .parameter(.persistent), .optional),
        OptionSpecification("netmask", "M", .parameter(.netmask), .required),
        OptionSpecification("real-server", "r", .parameter(.realServer), .required),
        OptionSpecification("masquerading", "m", .parameter(.forwardingMethod)),
        OptionSpecification("ipip", "i", .parameter(.forwardingMethod)),
        OptionSpecification("gatewaying", "g", .parameter(.forwardingMethod)),
        OptionSpecification("weight", "w", .parameter(.weight), .required),
        OptionSpecification("u-threshold", "x", .parameter(.upperThreshold), .required),
        OptionSpecification("l-threshold", "y", .parameter(.lowerThreshold), .required),
        OptionSpecification("numeric", "n", .parameter(.numeric)),
        OptionSpecification("connection", "c", .parameter(.connection)),
        OptionSpecification("mcast-interface", nil, .parameter(.multicastInterface), .required),
        OptionSpecification("syncid", nil, .parameter(.syncIdentifier), .required),
        OptionSpecification("timeout", nil, .parameter(.timeout)),
        OptionSpecification("daemon", nil, .parameter(.daemon)),
        OptionSpecification("stats", nil, .parameter(.statistics)),
        OptionSpecification("rate", nil, .parameter(.rate)),
        OptionSpecification("thresholds", nil, .parameter(.thresholds)),
        OptionSpecification("persistent-conn", nil, .parameter(.persistentConnections)),
        OptionSpecification("nosort", nil, .parameter(.noSort)),
        OptionSpecification("sort", nil, .sort),
        OptionSpecification("exact", "X", .parameter(.exact)),
        OptionSpecification("ipv6", "6", .ipv6),
        OptionSpecification("ops", "o", .parameter(.onePacket)),
        OptionSpecification("pe", nil, .parameter(.persistenceEngine), .required),
        OptionSpecification("sched-flags", "b", .parameter(.schedulerFlags), .required),
        OptionSpecification("sync-maxlen", nil, .parameter(.syncMaximumLength), .required),
        OptionSpecification("mcast-group", nil, .parameter(.multicastGroup), .required),
        OptionSpecification("mcast-port", nil, .parameter(.multicastPort), .required),
        OptionSpecification("mcast-ttl", nil, .parameter(.multicastTTL), .required),
        OptionSpecification("tun-info", nil, .parameter(.tunnelInformation)),
        OptionSpecification("tun-type", nil, .parameter(.tunnelType), .required),
        OptionSpecification("tun-port", nil, .parameter(.tunnelPort), .required),
        OptionSpecification("tun-nocsum", nil, .parameter(.tunnelNoChecksum)),
        OptionSpecification("tun-csum", nil, .parameter(.tunnelChecksum)),
        OptionSpecification("tun-remcsum", nil, .parameter(.tunnelRemoteChecksum)),
        fullNAT,
        OptionSpecification("add-laddr", "P", .command(.addLocalAddress)),
        OptionSpecification("del-laddr", "Q", .command(.deleteLocalAddress)),
        OptionSpecification("get-laddr", "G", .command(.listLocalAddresses)),
        OptionSpecification("laddr", "z", .parameter(.localAddress), .required, of: poolCommands),
        OptionSpecification("ifname", "F", .parameter(.interfaceName), .required, of: poolCommands),
        OptionSpecification("toa", nil, .parameter(.clientAddress), of: [.addService, .editService]),
        OptionSpecification(
            "proxy-protocol", nil, .parameter(.clientAddress), .required, of: [.addService, .editService]),
        OptionSpecification("source-rate", nil, .parameter(.sourceRate), .required),
        OptionSpecification("conn-timeout", nil, .parameter(.connectionTimeout), .required),
        OptionSpecification("table-size", nil, .parameter(.tableSize), .required),
    ]

    /// DPVS's `-b`, too, which `OptionScanner` tells from ipvsadm's.
    static let fullNAT = OptionSpecification(
        "fullnat", nil, .parameter(.forwardingMethod), of: [.addDestination, .editDestination])

    private static let poolCommands: [CommandName] = [.addLocalAddress, .deleteLocalAddress]

    /// The option of this long name, where `command` (nil: none yet) knows it.
    static func option(named name: some StringProtocol, of command: CommandName?) -> OptionSpecification? {
        options.first { $0.name == name && isKnown($0, to: command) }
    }

    /// The option of this letter, where `command` (nil: none yet) knows it.
    static func option(letter: Unicode.Scalar, of command: CommandName?) -> OptionSpecification? {
        options.first { $0.letter == letter && isKnown($0, to: command) }
    }

    private static func isKnown(_ option: OptionSpecification, to command: CommandName?) -> Bool {
        if case .command(let name) = option.meaning, name.isOfLocalAddresses { return command == nil }
        guard let commands = option.commands else { return true }
        return command.map(commands.contains) ?? false
    }
}
