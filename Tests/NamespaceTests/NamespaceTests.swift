import Testing

/// Real programs through the real daemon, in network namespaces. One at a time: each makes a network of its own, and all
/// share the machine's processors.
@Suite(.serialized, .enabled(if: Lab.isPossible, "\(Lab.reason)"))
enum NamespaceTests {}
