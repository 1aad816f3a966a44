/// What an invocation of ipvsadm ends with.
public struct CommandResult: Hashable, Sendable, Codable {
    /// The exit status.
    public var status: UInt8
    /// What goes to standard output.
    public var standardOutput: String
    /// What goes to standard error.
    public var standardError: String

    /// From status and texts.
    public init(status: UInt8 = 0, standardOutput: String = "", standardError: String = "") {
        self.status = status
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// Another line of `-R` has ended: the last one's status counts.
    mutating func add(_ other: CommandResult) {
        status = other.status
        standardOutput += other.standardOutput
        standardError += other.standardError
    }

    /// A refusal: the message becomes a line on standard error.
    init(failure message: String, status: UInt8 = 255) {
        self.init(status: status, standardError: message + "\n")
    }
}
