import Yams

/// A YAML document while it is read: hands out parts with the types that are asked for, and collects what is wrong
/// instead of stopping at the first mistake.
struct YAMLDocument {
    /// What was wrong so far.
    private(set) var problems: [ConfigurationProblem] = []
    /// Beyond so many, the rest is left unsaid.
    private static let mostProblems = 100

    /// The text's one document; nil: empty.
    static func root(_ text: String) throws(ConfigurationError) -> Node? {
        do {
            return try compose(yaml: text, .basic)
        } catch let error as YamlError {
            throw ConfigurationError([problem(error)])
        } catch {
            throw ConfigurationError([ConfigurationProblem(line: 0, message: "not readable as YAML: \(error)")])
        }
    }

    private static func problem(_ error: YamlError) -> ConfigurationProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let about = context.map { " (\($0.text) from line \($0.mark.line) on)" } ?? ""
            return ConfigurationProblem(
                line: mark.line, column: mark.column, message: "not readable as YAML: \(problem)\(about)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            return ConfigurationProblem(
                line: context.mark.line, column: context.mark.column,
                message: "\(keys) given more than once in what begins here; keep one of them")
        case .reader(let problem, _, _, _):
            return ConfigurationProblem(line: 0, message: "not readable as YAML: \(problem); it must be UTF-8 text")
        default: return ConfigurationProblem(line: 0, message: "not readable as YAML")
        }
    }

    /// Note that something is wrong at `node`.
    mutating func reject(_ node: Node, _ message: String) {
        guard problems.count < Self.mostProblems else { return }
        problems.append(
            ConfigurationProblem(line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, message: message))
    }

    /// The value of each key of a mapping; unknown keys are wrong.
    mutating func fields(_ node: Node, of what: String, known: [String]) -> [String: Node] {
        guard let mapping = node.mapping else {
            reject(node, "\(what) must be a mapping of keys to values, not \(Self.kind(node))")
            return [:]
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                reject(key, "a key of \(what) must be a word")
                continue
            }
            guard known.contains(name) else {
                reject(key, "unknown key \"\(name)\" in \(what)\(NearestWord.hint(name, among: known))")
                continue
            }
            fields[name] = value
        }
        return fields
    }

    /// The parts of a list.
    mutating func list(_ node: Node, _ what: String) -> [Node] {
        guard let sequence = node.sequence else {
            reject(node, "\(what) must be a list, not \(Self.kind(node))")
            return []
        }
        return Array(sequence)
    }

    /// A word or text.
    mutating func text(_ node: Node, _ what: String) -> String? {
        guard let scalar = node.scalar, !Self.isNull(scalar), Self.isQuoted(scalar) || Self.number(scalar.string) == nil,
            Self.isQuoted(scalar) || (scalar.string != "true" && scalar.string != "false")
        else {
            reject(node, "\(what) must be text, not \(Self.kind(node))\(Self.bracketHint(node))")
            return nil
        }
        return scalar.string
    }

    /// A whole number within bounds.
    mutating func number(_ node: Node, _ what: String, _ range: ClosedRange<Int>) -> Int? {
        guard let scalar = node.scalar, !Self.isQuoted(scalar), let number = Self.number(scalar.string) else {
            reject(node, "\(what) must be a whole number, not \(Self.kind(node))")
            return nil
        }
        guard range.contains(number) else {
            let bounds =
                range.upperBound == Int(UInt32.max) || range.upperBound == Int(Int32.max)
                ? "from \(range.lowerBound) on" : "\(range.lowerBound) to \(range.upperBound)"
            reject(node, "\(what) is \(number), but takes \(bounds)")
            return nil
        }
        return number
    }

    /// `true` or `false`.
    mutating func flag(_ node: Node, _ what: String) -> Bool? {
        if let scalar = node.scalar, !Self.isQuoted(scalar) {
            if scalar.string == "true" { return true }
            if scalar.string == "false" { return false }
        }
        reject(node, "\(what) must be true or false, not \(Self.kind(node))")
        return nil
    }

    /// One of some words.
    mutating func choice(_ node: Node, _ what: String, among known: [String]) -> String? {
        guard let word = text(node, what) else { return nil }
        guard known.contains(word) else {
            reject(node, "unknown \(what) \"\(word)\"\(NearestWord.hint(word, among: known))")
            return nil
        }
        return word
    }

    private static func isQuoted(_ scalar: Node.Scalar) -> Bool { scalar.style != .plain && scalar.style != .any }

    private static func isNull(_ scalar: Node.Scalar) -> Bool {
        !isQuoted(scalar) && ["", "~", "null"].contains(scalar.string)
    }

    /// Decimal digits, with a sign or not: what YAML and JSON both call an integer.
    private static func number(_ text: String) -> Int? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }),
            digits.utf8.count == 1 || digits.utf8.first != 48
        else { return nil }
        return Int(text)
    }

    /// What something is, for messages.
    private static func kind(_ node: Node) -> String {
        switch node {
        case .scalar(let scalar): isNull(scalar) ? "nothing" : "\"\(scalar.string)\""
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }

    /// `[2001:db8::1]:80` without quotes begins a list.
    private static func bracketHint(_ node: Node) -> String {
        node.sequence == nil ? "" : "; an address in brackets needs quotes: \"[2001:db8::1]:80\""
    }
}
