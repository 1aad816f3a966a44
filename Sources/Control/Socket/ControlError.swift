/// Why the control socket cannot be served or reached: one sentence that says what to do.
public struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}
