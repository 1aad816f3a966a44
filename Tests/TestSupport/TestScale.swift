import Foundation

/// How much the random tests do. `FAIRLEAD_TEST_SCALE=10` does ten times as much, `FAIRLEAD_TEST_PART=4` a quarter: under a
/// sanitizer, which makes everything several times slower.
public enum TestScale {
    private static let factor = number("FAIRLEAD_TEST_SCALE")
    private static let part = number("FAIRLEAD_TEST_PART")

    private static func number(_ name: String) -> Int {
        max(1, ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? 1)
    }

    /// `full` of something, scaled.
    public static func count(_ full: Int) -> Int { full * factor / part }

    /// `debug` of something, or `release` in a build that is optimised, scaled.
    public static func count(debug: Int, release: Int) -> Int {
        #if DEBUG
            count(debug)
        #else
            count(release)
        #endif
    }
}
