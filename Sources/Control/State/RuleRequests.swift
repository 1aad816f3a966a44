/// What `fairlead plan`, `apply`, `rollback` and `history` ask the daemon, and what it answers.
public enum RuleRequests {
    /// Routes of the control socket.
    public static let plan = "/plan"
    public static let apply = "/apply"
    public static let rollback = "/rollback"
    public static let history = "/history"
    public static let export = "/export"

    /// To `/plan` and `/apply`.
    public struct Apply: Codable, Sendable {
        /// The file's name, for messages and the history.
        public var name: String
        /// Its text.
        public var text: String
        /// Seconds to wait for connections of destinations that go; `/plan` does not wait.
        public var drain: Double

        /// From its parts.
        public init(name: String, text: String, drain: Double = 0) {
            self.name = name
            self.text = text
            self.drain = drain
        }
    }

    /// To `/rollback`.
    public struct Rollback: Codable, Sendable {
        /// How many states back; 1: the one before the present.
        public var steps: Int
        /// Seconds to wait for connections of destinations that go.
        public var drain: Double

        /// From its parts.
        public init(steps: Int, drain: Double = 0) {
            self.steps = steps
            self.drain = drain
        }
    }

    /// From `/plan`, `/apply` and `/rollback`.
    public struct Reply: Codable, Sendable {
        /// What changes or changed; nil when it came to nothing.
        public var plan: RulePlan?
        /// Why not: nothing has changed then. Lines.
        public var errors: [String] = []
        /// What `lint` would say without knowing the networks. Lines.
        public var warnings: [String] = []
        /// Connections that were left when the wait for them was over.
        public var undrained: Int?
    }

    /// From `/history`.
    public struct History: Codable, Sendable {
        /// Newest first; the first is in force.
        public var states: [StateHead]
    }
}
