import Balancer
import Foundation
import Testing
import Yams

@testable import Configuration

/// docs/fairlead.schema.json and the reader say the same.
@Suite struct SchemaTests {
    private static func schema() throws -> JSONSchema {
        try JSONSchema(Data(try Examples.text("docs/fairlead.schema.json").utf8))
    }

    private static func value(_ yaml: String) throws -> Any { try #require(try Yams.load(yaml: yaml)) }

    @Test func takesTheExample() throws {
        let problems = try Self.schema().problems(Self.value(try Examples.text("docs/fairlead.yaml")))
        #expect(problems.isEmpty, "\(problems)")
    }

    @Test(arguments: Examples.bad)
    func refusesWhatTheReaderRefuses(bad: Examples.Bad) throws {
        // `yes` is true in the YAML 1.1 of Yams' own constructor, and a word to the reader.
        let problems = try Self.schema().problems(Self.value(bad.yaml))
        #expect(problems.isEmpty != bad.isAgainstSchema, "\(bad.yaml): \(problems)")
    }

    /// Each key of the reader is one of the schema, and the other way round.
    @Test func hasTheReadersKeys() throws {
        let root = try Self.schema().root
        let definitions = try #require(root["definitions"] as? [String: [String: Any]])
        func keys(_ schema: [String: Any]?) -> Set<String> {
            Set((schema?["properties"] as? [String: Any] ?? [:]).keys)
        }
        func part(_ schema: [String: Any]?, _ name: String) -> [String: Any]? {
            (schema?["properties"] as? [String: Any])?[name] as? [String: Any]
        }
        #expect(keys(root) == Set(ConfigurationReader.topKeys))
        #expect(keys(part(root, "timeouts")) == Set(ConfigurationReader.timeoutKeys))
        #expect(keys(part(root, "settings")) == Set(Setting.allCases.map(\.name)))
        #expect(keys(part(root, "marks")?["items"] as? [String: Any]) == Set(ConfigurationReader.markKeys))
        #expect(keys(definitions["service"]) == Set(ConfigurationReader.serviceKeys))
        #expect(keys(definitions["destination"]) == Set(ConfigurationReader.destinationKeys))
        #expect(keys(part(definitions["destination"], "tunnel")) == Set(ConfigurationReader.tunnelKeys))
        let interface = (part(root, "interfaces")?["items"] as? [String: Any])?["anyOf"] as? [[String: Any]]
        #expect(keys(interface?.last) == Set(ConfigurationReader.interfaceKeys))
        let persistence = part(definitions["service"], "persistence")?["anyOf"] as? [[String: Any]]
        #expect(keys(persistence?.last) == Set(ConfigurationReader.persistenceKeys))
        #expect(keys(part(definitions["service"], "source_rate")) == Set(ConfigurationReader.sourceRateKeys))
        #expect(keys(part(definitions["service"], "timeouts")) == Set(ConfigurationReader.timeoutKeys))
        let schedulers = part(definitions["service"], "scheduler")?["enum"] as? [String]
        #expect(schedulers == SchedulerKind.allCases.map(\.name))
        let methods = definitions["method"]?["enum"] as? [String]
        #expect(methods == ConfigurationReader.methods.map(\.name))
    }
}
