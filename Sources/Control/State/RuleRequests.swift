/// What `fairlead plan`, `apply`, `rollback` and `history` ask the daemon, and what it answers.
public enum RuleRequests {
    /// The route that says what applying a file would change.
    public static let plan = "/plan"
    /// The route that applies a file.
    public static let apply = "/apply"
    /// The route that puts an earlier state in force again.
    public static let rollback = "/rollback"
    /// The route that lists the states.
    public static let history = "/history"
    /// The route that gives the rules in force as YAML.
    public static let export = "/export"

    /// To `/plan` and `/apply`.
    public struct Apply: Codable, Sendable {
        /// The file's name, for messages and the history.
        public var name: String
        /// Its text.
        public var text: String
        /// Seconds to wait for connections of destinations that go; `/plan` does not wait.
        public var drain: Double
        /// Whether the plan is wanted as text only: of many changes that is much quicker; nil: no.
        public var asText: Bool?

        /// From its parts.
        public init(name: String, text: String, drain: Double = 0, asText: Bool? = nil) {
            self.name = name
            self.text = text
            self.drain = drain
            self.asText = asText
        }
    }

    /// To `/rollback`.
    public struct Rollback: Codable, Sendable {
        /// How many states back; 1: the one before the present.
        public var steps: Int
        /// Seconds to wait for connections of destinations that go.
        public var drain: Double
        /// As in `Apply`.
        public var asText: Bool?

        /// From its parts.
        public init(steps: Int, drain: Double = 0, asText: Bool? = nil) {
            self.steps = steps
            self.drain = drain
            self.asText = asText
        }
    }

    /// From `/plan`, `/apply` and `/rollback`.
    public struct Reply: Codable, Sendable {
        /// What changes or changed; nil when it came to nothing.
        public var plan: RulePlan?
        /// In place of the plan its text, where that was asked for.
        public var text: String?
        /// Why not: nothing has changed then. Lines.
        public var errors: [String] = []
        /// What `lint` would say without knowing the networks. Lines.
        public var warnings: [String] = []
        /// Connections that were left when the wait for them was over.
        public var undrained: Int?

        /// The same with the plan's text in its place, if that is wanted.
        func shown(asText: Bool?) -> Reply {
            guard asText ?? false, let plan else { return self }
            var reply = self
            (reply.text, reply.plan) = (plan.text, nil)
            return reply
        }
    }

    /// From `/history`.
    public struct History: Codable, Sendable {
        /// Newest first; the first is in force.
        public var states: [StateHead]
    }
}
