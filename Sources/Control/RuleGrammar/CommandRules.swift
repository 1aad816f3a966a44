/// Which command wants, allows and forbids which parameter.
enum CommandRules {
    /// How a command takes a parameter.
    private enum Use {
        case allowed
        case required
        case forbidden
        /// At most one of those so marked.
        case exclusive
    }

    /// Check the parameters given with a command, in the order of `Parameter`.
    static func check(_ command: CommandName, _ given: Set<Parameter>) throws(UsageError) {
        var last: Parameter?
        for parameter in Parameter.allCases {
            let use = use(of: parameter, by: command)
            try check(parameter, use, given, &last, "'\(command.rawValue)' command")
        }
    }

    /// Check the parameters given with a kind of tunnel.
    static func check(tunnel name: String, _ given: Set<Parameter>) throws(UsageError) {
        var last: Parameter?
        for parameter in tunnelParameters {
            let use: Use =
                switch (name, parameter) {
                case ("gue", .tunnelPort): .required
                case ("gue", _), ("gre", .tunnelNoChecksum), ("gre", .tunnelChecksum): .exclusive
                default: .forbidden
                }
            try check(parameter, use, given, &last, "'\(name)' tunnel type")
        }
    }

    /// The parameters that depend on the kind of tunnel.
    static let tunnelParameters: [Parameter] = [
        .tunnelPort, .tunnelNoChecksum, .tunnelChecksum, .tunnelRemoteChecksum,
    ]

    private static func check(
        _ parameter: Parameter, _ use: Use, _ given: Set<Parameter>, _ last: inout Parameter?, _ whose: String
    ) throws(UsageError) {
        let name = parameter.rawValue
        guard given.contains(parameter) else {
            if case .required = use { throw UsageError("You need to supply the '\(name)' option for the \(whose)") }
            return
        }
        switch use {
        case .forbidden: throw UsageError("Illegal '\(name)' option with the \(whose)")
        case .exclusive:
            if let last {
                throw UsageError(
                    "The option '\(name)' conflicts with the '\(last.rawValue)' option in the \(whose)")
            }
            last = parameter
        case .allowed, .required: break
        }
    }

    private static func use(of parameter: Parameter, by command: CommandName) -> Use {
        switch command {
        case .addService, .editService: ofService(parameter)
        case .deleteService: parameter == .serviceAddress ? .required : .forbidden
        case .addDestination, .editDestination: ofDestination(parameter)
        case .deleteDestination: parameter == .serviceAddress || parameter == .realServer ? .required : .forbidden
        case .list: ofList(parameter)
        case .startDaemon: ofStartDaemon(parameter)
        case .stopDaemon: parameter == .syncIdentifier ? .allowed : .forbidden
        case .save: parameter == .numeric || parameter == .thresholds ? .allowed : .forbidden
        case .zero: parameter == .serviceAddress ? .allowed : .forbidden
        case .clear, .setTimeouts, .restore: .forbidden
        case .addLocalAddress, .deleteLocalAddress: ofLocalAddress(parameter)
        case .listLocalAddresses: parameter == .serviceAddress || parameter == .numeric ? .allowed : .forbidden
        }
    }

    private static func ofService(_ parameter: Parameter) -> Use {
        switch parameter {
        case .serviceAddress: .required
        case .scheduler, .persistent, .netmask, .onePacket, .persistenceEngine, .schedulerFlags, .clientAddress:
            .allowed
        case .sourceRate, .connectionTimeout, .tableSize: .allowed
        default: .forbidden
        }
    }

    private static func ofDestination(_ parameter: Parameter) -> Use {
        switch parameter {
        case .serviceAddress, .realServer: .required
        case .forwardingMethod, .weight, .upperThreshold, .lowerThreshold, .tunnelType, .tunnelPort,
            .tunnelNoChecksum, .tunnelChecksum, .tunnelRemoteChecksum:
            .allowed
        default: .forbidden
        }
    }

    private static func ofLocalAddress(_ parameter: Parameter) -> Use {
        switch parameter {
        case .serviceAddress, .localAddress: .required
        case .interfaceName: .allowed
        default: .forbidden
        }
    }

    private static func ofList(_ parameter: Parameter) -> Use {
        switch parameter {
        case .connection, .serviceAddress, .timeout, .daemon: .exclusive
        case .numeric, .statistics, .rate, .thresholds, .persistentConnections, .noSort, .syncIdentifier, .exact,
            .tunnelInformation:
            .allowed
        default: .forbidden
        }
    }

    private static func ofStartDaemon(_ parameter: Parameter) -> Use {
        switch parameter {
        case .multicastInterface, .syncIdentifier, .syncMaximumLength, .multicastGroup, .multicastPort, .multicastTTL:
            .allowed
        default: .forbidden
        }
    }
}
