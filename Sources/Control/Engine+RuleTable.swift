public import Balancer

/// The engine is the rule table of the live daemon and of replays.
extension Engine: RuleTable {}
