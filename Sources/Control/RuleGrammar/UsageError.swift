/// Why a command line was not taken: what to print on standard error, and the exit status.
public struct UsageError: Error, Hashable, Sendable {
    /// The line to print, without its end.
    public var message: String
    /// 2 for wrong values and combinations, 255 for options that popt did not take.
    public var status: UInt8
    /// Whether ipvsadm ends at once, so that lines of a restore that follow are not read.
    var endsRestore = true

    /// From message and status.
    public init(_ message: String, status: UInt8 = 2) {
        self.message = message
        self.status = status
    }

    /// popt's word for an option that it does not take.
    static func badOption(_ written: String, _ reason: String) -> UsageError {
        var error = UsageError("\(written): \(reason)", status: 255)
        error.endsRestore = false
        return error
    }

    /// popt's word for a command line without a command.
    static func tryHelp(_ program: String) -> UsageError {
        UsageError("Try `\(program) -h' or '\(program) --help' for more information.", status: 255)
    }
}
