import Testing

@testable import Kubernetes

@Suite struct FieldShapeTests {
    private static let shape = FieldShape.fields(["mode": .any, "ipvs": .fields(["scheduler": .any])])

    private func check(_ text: String) throws {
        let document = try DocumentReader.documents(in: text, source: DocumentValue.Source(name: "f")).first
        try Self.shape.check(try #require(document))
    }

    @Test(arguments: ["{mode: {anything: [1]}}", "{ipvs: null}", "{ipvs: {scheduler: }}"])
    func knownFieldsPass(text: String) throws {
        try check(text)
    }

    @Test(arguments: [
        ("mdoe: x\n", "f line 1: mdoe: unknown field; did you mean mode?"),
        ("mode: x\nipvs:\n  schedulers: rr\n", "f line 3: ipvs.schedulers: unknown field; did you mean scheduler?"),
        ("replicas: 3\n", "f line 1: replicas: unknown field"),
        ("ipvs: [1]\n", "f line 1: ipvs: a mapping is expected, not a list"),
    ])
    func othersAreNamed(text: String, sentence: String) {
        let error = #expect(throws: KubernetesError.self) { try check(text) }
        #expect(error?.description == sentence)
    }
}
