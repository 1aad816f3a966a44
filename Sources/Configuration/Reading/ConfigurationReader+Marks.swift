import Balancer
import Yams

/// Rules that mark packets.
extension ConfigurationReader {
    static let markKeys = NamedMark.fieldNames

    /// The list of rules, in order.
    mutating func marks(_ node: Node) -> [ConfigurationFile.Mark] {
        let parts = document.list(node, "marks")
        if parts.count > MarkRule.capacity {
            document.reject(node, "marks has \(parts.count) rules; \(MarkRule.capacity) are the most")
        }
        var marks: [ConfigurationFile.Mark] = []
        for part in parts {
            guard let mark = mark(part) else { continue }
            if marks.contains(where: { $0.mark == mark }) { document.reject(part, "the same mark rule twice") }
            marks.append(ConfigurationFile.Mark(mark: mark, line: part.mark?.line ?? 0))
        }
        return marks
    }

    private mutating func mark(_ node: Node) -> NamedMark? {
        let fields = document.fields(node, of: "a mark rule", known: Self.markKeys)
        var mark = NamedMark(rule: MarkRule(mark: 0))
        var isSound = true
        for name in Self.markKeys {
            guard let value = fields[name] else { continue }
            guard let text = text(value, name) else {
                isSound = false
                continue
            }
            if let problem = mark.set(name, text) {
                document.reject(value, "\(name) \(text): \(problem)")
                isSound = false
            }
        }
        guard isSound, node.mapping != nil else { return nil }
        if let problem = mark.problem() {
            document.reject(node, problem)
            return nil
        }
        return mark
    }

    /// A field's value as `fairlead mark` takes it.
    private mutating func text(_ node: Node, _ name: String) -> String? {
        switch name {
        case "sport", "dport": document.number(node, name, 1...65535).map { String($0) }
        case "mark": document.number(node, name, 1...Int(UInt32.max)).map { String($0) }
        case "proto" where node.scalar.map({ Int($0.string) != nil }) ?? false:
            document.number(node, name, 1...255).map { String($0) }
        default: document.text(node, name)
        }
    }
}
