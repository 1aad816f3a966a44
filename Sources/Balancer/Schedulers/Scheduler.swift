/// The schedulers. The registry: CLI, save and restore, help and the README table read it.
public enum SchedulerKind: UInt8, Hashable, Sendable, CaseIterable {
    case rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos

    /// The name ipvsadm knows it by.
    public var name: String { String(describing: self) }

    /// The scheduler called `name`; nil when there is none.
    public init?(name: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}
