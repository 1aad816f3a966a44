import Testing

@testable import Kubernetes

@Suite struct DocumentReaderTests {
    private func read(_ text: String) throws -> [DocumentValue] {
        try DocumentReader.documents(in: text, source: DocumentValue.Source(name: "f"))
    }

    @Test func everyDocumentThatIsNotEmpty() throws {
        #expect(try read("").isEmpty)
        #expect(try read("---\n# nothing\n").isEmpty)
        #expect(try read("a: 1\n---\n---\nb: 2\n...\n---\n{\"c\": 3}\n").count == 3)
    }

    @Test(arguments: [
        ("a: [1\nb: 2\n", "line 2"), ("a: 1\na: 2\n", "a is given twice"), ("{\"a\": 1", "neither YAML nor JSON"),
        ("a: b: c\n", "line 1"),
    ])
    func whatIsNeitherIsSaid(text: String, word: String) {
        let error = #expect(throws: KubernetesError.self) { try read(text) }
        #expect(error?.description.hasPrefix("f") == true)
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }
}
