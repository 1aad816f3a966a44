public import Balancer

/// `mark add|list|delete …`: what `fairlead mark` sends to the daemon, and a line of a rules file.
public enum MarkCommand {
    /// Carry out what followed `mark`, on the engine and with the names of its interfaces by slot. Control thread.
    public static func run(_ words: [String], on engine: Engine, interfaces: [String]) -> CommandResult {
        do throws(UsageError) {
            switch words.first {
            case "add":
                let rule = try MarkRule(words: words.dropFirst(), interfaces: interfaces)
                try attempt { () throws(MarkError) in try engine.addMark(rule) }
            case "delete":
                let rule = try MarkRule(words: words.dropFirst(), interfaces: interfaces)
                try attempt { () throws(MarkError) in try engine.removeMark(rule) }
            case "list" where words.count == 1:
                let lines = engine.markRules.map { "mark add \($0.text(interfaces: interfaces))\n" }
                return CommandResult(standardOutput: lines.joined())
            default:
                throw UsageError("mark: add, list or delete is wanted, not `\(words.joined(separator: " "))'")
            }
            return CommandResult()
        } catch {
            return CommandResult(failure: error.message, status: error.status)
        }
    }

    private static func attempt(_ change: () throws(MarkError) -> Void) throws(UsageError) {
        do throws(MarkError) {
            try change()
        } catch {
            switch error {
            case .exists: throw UsageError("mark: there is such a rule already", status: 1)
            case .noSuchRule:
                throw UsageError("mark: no such rule; `fairlead mark list` prints those there are", status: 1)
            case .tableFull: throw UsageError("mark: there are \(MarkRule.capacity) rules already, the most", status: 1)
            }
        }
    }
}
