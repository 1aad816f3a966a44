public import Balancer

/// The daemon's rules as `RuleKeeper` reaches them.
public protocol RuleAccess: AnyObject, Sendable {
    /// Lend the engine under the lock that all changes of the rules take.
    func withEngine<Value: Sendable>(_ body: (Engine) -> Value) -> Value
    /// Have the sockets' filters and the guard follow the rules.
    /// - Throws: when the host refuses; the rules are then put back.
    func followRules() throws
}
