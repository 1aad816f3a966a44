import Yams

/// Reads the documents of YAML text; JSON is YAML, too.
enum DocumentReader {
    /// Every document that is not empty.
    static func documents(in text: String, source: DocumentValue.Source) throws(KubernetesError) -> [DocumentValue] {
        var documents: [DocumentValue] = []
        do {
            let parser = try Parser(yaml: text)
            while let root = try parser.nextRoot() {
                let document = DocumentValue(root, source: source)
                if !document.isNull { documents.append(document) }
            }
        } catch {
            throw explain(error, text, source)
        }
        return documents
    }

    private static func explain(_ error: any Error, _ text: String, _ source: DocumentValue.Source) -> KubernetesError {
        func at(_ mark: Mark?, _ reason: String) -> KubernetesError {
            guard let mark, let before = source.linesBefore else { return KubernetesError("\(source.name): \(reason)") }
            return KubernetesError("\(source.name) line \(before + mark.line): \(reason)")
        }
        guard let error = error as? YamlError else { return at(nil, "neither YAML nor JSON: \(error)") }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let words = [context?.text, problem].compactMap(\.self).joined(separator: ", ")
            return at(mark, "neither YAML nor JSON: \(words)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            return at(context.mark, "\(duplicates.sorted().joined(separator: ", ")) is given twice")
        case .reader(let problem, _, _, _): return at(nil, "neither YAML nor JSON: \(problem)")
        default: return at(nil, "neither YAML nor JSON")
        }
    }
}
