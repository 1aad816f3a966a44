import Balancer
import Wire

/// What is known of a command line while its options are read from left to right.
struct CommandDraft {
    /// The longest timeout that `-p` and `--set` take: 31 days.
    static let maximumTimeout: Int64 = 31 * 24 * 3600

    let resolver: any NameResolver
    var given: Set<Parameter> = []

    var key: ServiceKey?
    var schedulerName = ""
    var persistenceTimeout: UInt32?
    var netmask: Netmask?
    var persistenceEngine: String?
    var flagNames = ""
    var sourceRate: ServiceOptions.Rate?
    var timeouts: Timeouts?
    var tableSize = 0

    var server: DestinationKey?
    var method = ForwardingMethod.directRouting
    var weight: Int32 = 1
    var upperThreshold: UInt32 = 0
    var lowerThreshold: UInt32 = 0
    var tunnelName: String?
    var tunnelPort: UInt16 = 0

    var clientAddress = ClientAddressCarrier.none
    var localAddress: IPAddress?

    init(resolver: any NameResolver) {
        self.resolver = resolver
    }

    /// The value of a command that has one.
    func takeCommand(_ command: CommandName, value: String?) throws(UsageError) {
        guard command == .startDaemon || command == .stopDaemon, value != "master", value != "backup" else { return }
        throw UsageError(
            command == .startDaemon
                ? "illegal start-daemon parameter specified" : "illegal start_daemon specified")
    }

    /// Take one option that follows the command.
    mutating func take(_ option: OptionSpecification, value: String?, written: String) throws(UsageError) {
        switch option.meaning {
        case .command, .help, .version: throw UsageError("invalid option `\(written)'")
        case .sort: break
        case .ipv6:
            guard case .mark(let mark, _)? = key else { throw UsageError("-6 used before -f\n") }
            key = .mark(mark, family: .v6)
            netmask = nil
        case .parameter(let parameter):
            guard given.insert(parameter).inserted else {
                throw UsageError("multiple '\(parameter.rawValue)' options specified")
            }
            try take(parameter, option, value: value ?? "", isBare: value == nil)
        }
    }

    private mutating func take(
        _ parameter: Parameter, _ option: OptionSpecification, value: String, isBare: Bool
    ) throws(UsageError) {
        switch parameter {
        case .serviceAddress: try takeService(option.letter, value)
        case .realServer: try takeServer(value)
        case .scheduler: schedulerName = value
        case .persistent:
            persistenceTimeout = isBare ? Persistence.defaultTimeout : try Self.timeout(value, minimum: 1)
        case .netmask: try takeNetmask(value)
        case .persistenceEngine: persistenceEngine = value.isEmpty ? nil : value
        case .schedulerFlags: flagNames = value
        case .forwardingMethod:
            method =
                switch option.letter {
                case "m": .masquerading
                case "i": .tunneling
                case "g": .directRouting
                default: .fullNAT
                }
        case .clientAddress: clientAddress = isBare ? .tcpOption : try Self.carrier(value)
        case .localAddress:
            // A port or a name of one would mean nothing.
            guard let address = ServiceAddress(value, transportProtocol: 0, resolver: resolver), address.port == nil
            else { throw UsageError("illegal local address") }
            localAddress = address.address
        case .weight: weight = Int32(try Self.number(value, 0...Self.largest, "illegal weight specified"))
        case .upperThreshold:
            upperThreshold = UInt32(try Self.number(value, 0...Self.largest, "illegal u_threshold specified"))
        case .lowerThreshold:
            lowerThreshold = UInt32(try Self.number(value, 0...Self.largest, "illegal l_threshold specified"))
        case .tunnelType:
            guard ["ipip", "gue", "gre"].contains(value) else { throw UsageError("illegal tunnel type specified") }
            tunnelName = value
        case .tunnelPort:
            tunnelPort = UInt16(try Self.number(value, 1...65535, "illegal tunnel port specified"))
        case .sourceRate: sourceRate = try ServiceOptions.rate(value)
        case .connectionTimeout: timeouts = try ServiceOptions.timeouts(value)
        case .tableSize: tableSize = try ServiceOptions.tableSize(value)
        default: try Self.checkSynchronisation(parameter, value)
        }
    }

    /// The options of connection synchronisation: checked, and nothing else.
    private static func checkSynchronisation(_ parameter: Parameter, _ value: String) throws(UsageError) {
        switch parameter {
        case .syncIdentifier: _ = try number(value, 0...255, "illegal syncid specified")
        case .syncMaximumLength: _ = try number(value, 1...65507, "illegal sync-maxlen specified")
        case .multicastPort: _ = try number(value, 1...65535, "illegal mcast-port specified")
        case .multicastTTL: _ = try number(value, 1...255, "illegal mcast-ttl specified")
        case .multicastGroup:
            let isV6 = value.contains(":")
            guard let group = IPAddress(value), group.isMulticast, group.isV4 != isV6 else {
                throw UsageError("invalid \(isV6 ? "IPv6" : "IPv4") mcast-group `\(value)'")
            }
        default: break
        }
    }

    private mutating func takeService(_ letter: Unicode.Scalar?, _ value: String) throws(UsageError) {
        if letter == "f" {
            key = .mark(try Self.mark(value), family: .v4)
            return
        }
        let transportProtocol =
            switch letter {
            case "t": IPProtocol.tcp
            case "u": IPProtocol.udp
            default: IPProtocol.sctp
            }
        guard let address = ServiceAddress(value, transportProtocol: transportProtocol, resolver: resolver) else {
            throw UsageError("illegal virtual server address[:port] specified")
        }
        key = .address(
            transportProtocol: transportProtocol, address: address.address, port: address.port ?? 0)
        if !address.address.isV4 { netmask = nil }
    }

    /// A server without a port has that of the service, if that is known by now.
    private mutating func takeServer(_ value: String) throws(UsageError) {
        let transportProtocol =
            switch key {
            case .address(let number, _, _)?: number
            case .mark?: IPProtocol.tcp
            case nil: UInt8(0)
            }
        guard let address = ServiceAddress(value, transportProtocol: transportProtocol, resolver: resolver) else {
            throw UsageError("illegal real server address[:port] specified")
        }
        server = DestinationKey(address: address.address, port: address.port ?? key?.port ?? 0)
    }

    private mutating func takeNetmask(_ value: String) throws(UsageError) {
        if key?.family == .v6 {
            let length = RuleNumber.leadingNumber(value)
            guard (1...128).contains(length) else { throw UsageError("illegal ipv6 netmask specified") }
            netmask = .v6(Int(length))
        } else if let mask = RuleNumber.internetAddress(value) ?? resolver.address(ofHost: value)?.v4 {
            netmask = .v4(mask)
        } else {
            throw UsageError("illegal virtual server persistent mask specified")
        }
    }

    /// DPVS's words of `--proxy-protocol`.
    private static func carrier(_ word: String) throws(UsageError) -> ClientAddressCarrier {
        switch word {
        case "v2": return .proxyProtocol
        case "disable": return .none
        default: throw UsageError("illegal proxy-protocol `\(word)': v2 and disable are known")
        }
    }

    private static let largest = Int64(Int32.max)

    private static func number(
        _ text: String, _ range: ClosedRange<Int64>, _ message: String
    ) throws(UsageError) -> Int64 {
        guard let number = RuleNumber.number(text, in: range) else { throw UsageError(message) }
        return number
    }

    /// A firewall mark. Those above 2^31 are also taken as the negative number that ipvsadm writes for them, so that
    /// what it saved can be restored.
    private static func mark(_ text: String) throws(UsageError) -> UInt32 {
        guard let number = RuleNumber.long(text), number != 0,
            (Int64(Int32.min)...Int64(UInt32.max)).contains(number)
        else { throw UsageError("invalid fwmark value `\(text)' specified") }
        return UInt32(truncatingIfNeeded: number)
    }

    /// Seconds of `-p` or `--set`.
    static func timeout(_ text: String, minimum: Int64) throws(UsageError) -> UInt32 {
        guard let number = RuleNumber.number(text, in: minimum...maximumTimeout) else {
            throw UsageError("invalid timeout value `\(text)' specified")
        }
        return UInt32(number)
    }
}
