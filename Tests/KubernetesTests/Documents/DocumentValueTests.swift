import Testing

@testable import Kubernetes

@Suite struct DocumentValueTests {
    private func document(_ text: String) throws -> DocumentValue {
        try #require(try DocumentReader.documents(in: text, source: DocumentValue.Source(name: "f")).first)
    }

    private func sentence(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return "\(error)" }
        return nil
    }

    @Test func missingAndNullFieldsAreNone() throws {
        let value = try document("{a: 1, b: null, c: ~, d: , e: 'null'}")
        #expect(try value["a"]?.integer(in: 0...9) == 1)
        for name in ["b", "c", "d", "f"] { #expect(value[name] == nil) }
        #expect(try value["e"]?.text() == "null")
    }

    @Test func valuesOfAnotherKindAreNamedWithTheirPlace() throws {
        let value = try document("top:\n  number: '5'\n  list: [1, x]\n  flag: 1\n  deep: {a: 1}\n")
        let top = try #require(value["top"])
        #expect(
            sentence { _ = try top["number"]?.integer(in: 0...9) }
                == "f line 2: top.number: a number is expected, not \"5\"")
        #expect(
            sentence { _ = try top["list"]?.elements()[1].integer(in: 0...9) }
                == "f line 3: top.list[1]: a whole number from 0 to 9 is expected, not \"x\"")
        #expect(
            sentence { _ = try top["flag"]?.boolean() } == "f line 4: top.flag: true or false is expected, not \"1\"")
        #expect(sentence { _ = try top["deep"]?.text() } == "f line 5: top.deep: a string is expected, not a mapping")
        #expect(sentence { _ = try top["deep"]?.elements() } == "f line 5: top.deep: a list is expected, not a mapping")
        #expect(
            sentence { _ = try top["list"]?.fields() } == "f line 3: top.list: a mapping is expected, not a list")
    }

    @Test func linesOfAnEmbeddedDocumentAreThoseOfTheFile() throws {
        let value = try document("data:\n  inner: |-\n    a: 1\n    b: x\n")
        let inner = try #require(try value["data"]?["inner"]?.embeddedDocuments().first)
        #expect(
            sentence { _ = try inner["b"]?.boolean() } == "f line 4: b: true or false is expected, not \"x\"")
    }

    @Test func linesOfAQuotedDocumentCannotBeTold() throws {
        let value = try document(#"{"data": {"inner": "a: 1\nb: x\n"}}"#)
        let inner = try #require(try value["data"]?["inner"]?.embeddedDocuments().first)
        #expect(
            sentence { _ = try inner["b"]?.boolean() } == "f: data.inner: b: true or false is expected, not \"x\"")
    }
}
