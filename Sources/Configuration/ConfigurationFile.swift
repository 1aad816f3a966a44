public import Balancer

/// A `fairlead.yaml` that was read: what it asks for, and at which lines.
public struct ConfigurationFile: Hashable, Sendable {
    /// An interface of the director.
    public struct Interface: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Largest IP packet in bytes, for `lint`; nil: asked from the host.
        public var mtu: Int?
        /// How its frames are taken, as `fairlead run --io` says it; nil: not said.
        public var io: String?
        /// Networks that are reached or routed there, for `lint`; nil: the host's.
        public var networks: [InterfaceAddress]?
        /// Where it stands, from 1.
        public var line: Int
    }

    /// A service as it is written.
    public struct Service: Hashable, Sendable {
        /// What it asks for. Destinations' ports are as written.
        public var rule: RuleState.Service
        /// Most connections at a time that are expected, for `lint`; nil: not said.
        public var expectedConnections: Int?
        /// Where it begins, from 1.
        public var line: Int
        /// Where each destination stands, from 1.
        public var destinationLines: [Int]
    }

    /// A rule that marks packets, as it is written.
    public struct Mark: Hashable, Sendable {
        /// What it asks for.
        public var mark: NamedMark
        /// Where it stands, from 1.
        public var line: Int
    }

    /// Interfaces to take packets from.
    public var interfaces: [Interface]
    /// Workers; nil: not said.
    public var workers: Int?
    /// Most connection entries; nil: not said.
    public var connections: Int?
    /// Timeouts in seconds; nil: not said.
    public var timeouts: Timeouts?
    /// Settings by sysctl.
    public var settings: [Setting: Int32]
    /// Rules that mark packets, in the order of the file.
    public var marks: [Mark]
    /// Services in the order of the file.
    public var services: [Service]

    /// What is to be in force.
    public var rules: RuleState {
        RuleState(
            services: services.map(\.rule), marks: marks.map(\.mark), timeouts: timeouts, settings: settings)
    }
}

/// One thing that is wrong in a file.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// The line, from 1; 0: the file as a whole.
    public var line: Int
    /// The column, from 1; 0: the line as a whole.
    public var column: Int
    /// What is wrong and what would be right.
    public var message: String

    /// From its parts.
    public init(line: Int, column: Int = 0, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    /// `line 3, column 5: …`.
    public var description: String {
        line == 0 ? message : column == 0 ? "line \(line): \(message)" : "line \(line), column \(column): \(message)"
    }
}

/// Why a file was not taken: everything that is wrong with it.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In the order of the file; at least one.
    public var problems: [ConfigurationProblem]

    /// From problems.
    public init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    /// A line each.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
