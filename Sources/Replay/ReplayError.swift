/// Why a replay could not run, in one line that names the place.
public struct ReplayError: Error, CustomStringConvertible, Sendable {
    /// The line.
    public let description: String

    /// From the line.
    public init(_ description: String) { self.description = description }
}
