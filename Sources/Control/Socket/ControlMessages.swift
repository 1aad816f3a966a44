import Foundation

/// What `fairlead ipvsadm` sends to the route `/ipvsadm`, as JSON; the answer is a `CommandResult`.
public struct CommandRequest: Hashable, Sendable, Codable {
    /// What the command was called as.
    public var program: String
    /// What followed.
    public var arguments: [String]
    /// What was on standard input, for `-R`.
    public var standardInput: String

    /// From program, arguments and input.
    public init(program: String, arguments: [String], standardInput: String = "") {
        self.program = program
        self.arguments = arguments
        self.standardInput = standardInput
    }

    /// The route.
    public static let route = "/ipvsadm"
}
