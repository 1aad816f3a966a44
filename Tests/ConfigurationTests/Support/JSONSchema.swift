import Foundation

/// As much of JSON Schema (draft 7) as docs/fairlead.schema.json uses. A keyword that it does not know is an error, so
/// that nothing in the schema goes unchecked.
struct JSONSchema {
    struct Unknown: Error, CustomStringConvertible {
        let description: String
    }

    let root: [String: Any]

    init(_ data: Data) throws {
        guard let root = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw Unknown(description: "the schema is no object")
        }
        self.root = root
    }

    /// What is wrong with `value`; empty when nothing is.
    func problems(_ value: Any) throws -> [String] { try problems(value, root, at: "$") }

    private func problems(_ value: Any, _ schema: [String: Any], at place: String) throws -> [String] {
        var problems: [String] = []
        for (keyword, argument) in schema {
            let isMet: Bool
            switch (keyword, argument) {
            case ("$schema", _), ("title", _), ("description", _), ("definitions", _): continue
            case ("$ref", let path as String):
                problems += try self.problems(value, try definition(path), at: place)
                continue
            case ("properties", let properties as [String: [String: Any]]):
                for (name, part) in value as? [String: Any] ?? [:] {
                    if let schema = properties[name] {
                        problems += try self.problems(part, schema, at: "\(place).\(name)")
                    }
                }
                continue
            case ("additionalProperties", _):
                let known = Set((schema["properties"] as? [String: Any] ?? [:]).keys)
                for (name, part) in value as? [String: Any] ?? [:] where !known.contains(name) {
                    if let other = argument as? [String: Any] {
                        problems += try self.problems(part, other, at: "\(place).\(name)")
                    } else {
                        problems.append("\(place) has \(name)")
                    }
                }
                continue
            case ("items", let item as [String: Any]):
                for (index, part) in (value as? [Any] ?? []).enumerated() {
                    problems += try self.problems(part, item, at: "\(place)[\(index)]")
                }
                continue
            case ("type", let name as String): isMet = Self.has(value, type: name)
            case ("enum", let values as [Any]): isMet = values.contains { Self.same($0, value) }
            case ("required", let names as [String]):
                isMet = (value as? [String: Any]).map { object in names.allSatisfy { object[$0] != nil } } ?? true
            case ("minimum", let bound as Int): isMet = (value as? Int).map { $0 >= bound } ?? true
            case ("maximum", let bound as Int): isMet = (value as? Int).map { $0 <= bound } ?? true
            case ("minLength", let bound as Int): isMet = (value as? String).map { $0.count >= bound } ?? true
            case ("pattern", let pattern as String):
                let expression = try Regex(pattern)
                isMet = (value as? String).map { $0.contains(expression) } ?? true
            case ("uniqueItems", true as Bool):
                let items = (value as? [Any] ?? []).map { "\($0)" }
                isMet = Set(items).count == items.count
            case ("anyOf", let schemas as [[String: Any]]):
                isMet = try schemas.contains { try self.problems(value, $0, at: place).isEmpty }
            case ("oneOf", let schemas as [[String: Any]]):
                isMet = try schemas.count { try self.problems(value, $0, at: place).isEmpty } == 1
            default: throw Unknown(description: "\(place): keyword \(keyword) with \(argument)")
            }
            if !isMet { problems.append("\(place): \(keyword) \(argument) is not met by \(value)") }
        }
        return problems
    }

    private func definition(_ path: String) throws -> [String: Any] {
        let parts = path.split(separator: "/")
        guard parts.count == 3, parts[0] == "#", parts[1] == "definitions",
            let definitions = root["definitions"] as? [String: [String: Any]],
            let schema = definitions[String(parts[2])]
        else { throw Unknown(description: "no definition \(path)") }
        return schema
    }

    private static func has(_ value: Any, type: String) -> Bool {
        switch type {
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "string": value is String
        case "integer": value is Int && !(value is Bool)
        case "boolean": value is Bool
        default: false
        }
    }

    private static func same(_ left: Any, _ right: Any) -> Bool {
        if let left = left as? String, let right = right as? String { return left == right }
        if let left = left as? Int, let right = right as? Int { return left == right }
        return false
    }
}
