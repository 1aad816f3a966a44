import Balancer
import Configuration

extension MarkRule {
    /// From the words of `mark add`: each option once, `--mark` and one of `--src`, `--dst` at least.
    init(words: ArraySlice<String>, interfaces: [String]) throws(UsageError) {
        var mark = NamedMark(rule: MarkRule(mark: 0))
        var given: Set<String> = []
        var left = words
        while let option = left.popFirst() {
            guard given.insert(option).inserted else { throw UsageError("mark: \(option) is given twice") }
            guard let value = left.popFirst() else { throw UsageError("mark: \(option) wants a value") }
            guard option.hasPrefix("--"), NamedMark.fieldNames.contains(String(option.dropFirst(2))) else {
                let known = NamedMark.fieldNames.map { "--\($0)" }.joined(separator: " ")
                throw UsageError("mark: \(option): unknown; \(known) are known")
            }
            if let problem = mark.set(String(option.dropFirst(2)), value) {
                throw UsageError("mark: \(option) \(value): \(problem)")
            }
        }
        if let problem = mark.problem(prefix: "--") { throw UsageError("mark: \(problem)") }
        guard let rule = mark.resolved(interfaces) else {
            throw UsageError(
                "mark: --interface \(mark.interface ?? ""): not one of \(interfaces.joined(separator: ", "))")
        }
        self = rule
    }

    /// The words that make this rule again.
    func text(interfaces: [String]) -> String { NamedMark(self, interfaces: interfaces).description }
}
