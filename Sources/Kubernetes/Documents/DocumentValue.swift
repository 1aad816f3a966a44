import Yams

/// A value of a YAML or JSON document, with where it stands, so that what is wrong with it can be said.
struct DocumentValue {
    /// Where a document came from.
    struct Source {
        /// The file's name, or what stands for it.
        var name: String
        /// Lines of the file before the document's first; nil when they cannot be told.
        var linesBefore: Int? = 0
    }

    let source: Source
    /// The fields that lead here, joined by dots; empty for the document itself.
    let path: String
    private let node: Node

    init(_ node: Node, path: String = "", source: Source) {
        self.node = node
        self.path = path
        self.source = source
    }

    // MARK: Words

    /// The line of the file, counted from 1.
    var line: Int? {
        guard let mark = node.mark, let before = source.linesBefore else { return nil }
        return before + mark.line
    }

    /// An error about this value.
    func failure(_ reason: String) -> KubernetesError {
        let place = line.map { "\(source.name) line \($0)" } ?? source.name
        return KubernetesError(path.isEmpty ? "\(place): \(reason)" : "\(place): \(path): \(reason)")
    }

    private var kindName: String {
        switch node {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar(let scalar): isNull ? "nothing" : "\"\(scalar.string)\""
        case .alias: "an alias"
        }
    }

    // MARK: Structure

    /// Whether nothing is given: an empty value, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The value of a field; nil when it is missing or null, or when this is no mapping.
    subscript(name: String) -> DocumentValue? {
        guard case .mapping(let mapping) = node else { return nil }
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key, scalar.string == name else { continue }
            let found = child(value, name)
            return found.isNull ? nil : found
        }
        return nil
    }

    /// The fields with their values, in the document's order; throws when this is no mapping.
    func fields() throws(KubernetesError) -> [(name: String, key: DocumentValue, value: DocumentValue)] {
        guard case .mapping(let mapping) = node else { throw failure("a mapping is expected, not \(kindName)") }
        var list: [(name: String, key: DocumentValue, value: DocumentValue)] = []
        for (key, value) in mapping {
            guard case .scalar(let scalar) = key else {
                throw failure("the name of a field is expected, not \(child(key, "?").kindName)")
            }
            list.append((scalar.string, child(key, scalar.string), child(value, scalar.string)))
        }
        return list
    }

    /// The elements of a list; throws when this is none.
    func elements() throws(KubernetesError) -> [DocumentValue] {
        guard case .sequence(let sequence) = node else { throw failure("a list is expected, not \(kindName)") }
        return sequence.enumerated().map { place, element in
            DocumentValue(element, path: "\(path)[\(place)]", source: source)
        }
    }

    private func child(_ value: Node, _ name: String) -> DocumentValue {
        DocumentValue(value, path: path.isEmpty ? name : "\(path).\(name)", source: source)
    }

    // MARK: Scalars

    /// The text of a scalar, whatever it looks like.
    func text() throws(KubernetesError) -> String {
        guard case .scalar(let scalar) = node else { throw failure("a string is expected, not \(kindName)") }
        return scalar.string
    }

    /// A whole number in a range; a quoted one is none.
    func integer(in range: ClosedRange<Int>) throws(KubernetesError) -> Int {
        let text = try unquoted("a number")
        guard let number = Int(text), range.contains(number) else {
            throw failure("a whole number from \(range.lowerBound) to \(range.upperBound) is expected, not \(kindName)")
        }
        return number
    }

    /// True or false.
    func boolean() throws(KubernetesError) -> Bool {
        switch try unquoted("true or false") {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: throw failure("true or false is expected, not \(kindName)")
        }
    }

    private func unquoted(_ expected: String) throws(KubernetesError) -> String {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else {
            throw failure("\(expected) is expected, not \(kindName)")
        }
        return scalar.string
    }

    // MARK: Documents in documents

    /// The documents that a string of this document holds, their lines counted from the file's first where they can be.
    func embeddedDocuments() throws(KubernetesError) -> [DocumentValue] {
        let text = try text()
        var inner = Source(name: "\(source.name): \(path)", linesBefore: nil)
        if case .scalar(let scalar) = node, scalar.style == .literal, let line {
            inner = Source(name: source.name, linesBefore: line)
        }
        return try DocumentReader.documents(in: text, source: inner)
    }
}
