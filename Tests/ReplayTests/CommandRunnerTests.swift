import Testing

@testable import Replay

/// The director's shell in a recording.
@Suite struct CommandRunnerTests {
    static let rows: [(String, [String])] = [
        ("ipvsadm -Ln", ["ipvsadm", "-Ln"]), ("  a\t b  ", ["a", "b"]), ("", []), ("a ''", ["a", ""]),
        ("sh -c 'a \"b\" c'", ["sh", "-c", "a \"b\" c"]), ("a\\ b \"c\\\"d\"", ["a b", "c\"d"]), ("'a\\b'", ["a\\b"]),
        ("a'b c'd", ["ab cd"]),
    ]

    @Test(arguments: rows)
    func splitsAsAShellDoes(line: String, words: [String]) { #expect(CommandRunner.split(line) == words) }
}
