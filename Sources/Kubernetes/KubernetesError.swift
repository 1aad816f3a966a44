/// Why a configuration or manifests cannot be used: one sentence that names the place and says what would be right.
public struct KubernetesError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}
