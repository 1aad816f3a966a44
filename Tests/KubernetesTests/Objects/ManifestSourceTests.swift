import Foundation
import Testing

@testable import Kubernetes

@Suite struct ManifestSourceTests {
    private static let service =
        #"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"clusterIP": "10.96.0.1"}}"#

    /// A folder that is gone afterwards.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kube-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private func names(_ path: String) throws -> [String] {
        try ManifestSource(path).read { Data() }.services.map(\.name.name)
    }

    @Test func aFolderIsItsManifests() throws {
        try withFolder { folder in
            for (name, service) in [("b.yaml", "b"), ("a.json", "a"), ("c.yml", "c"), (".d.yaml", "d"), ("e.txt", "e")]
            {
                try Self.service.replacing("\"a\"", with: "\"\(service)\"")
                    .write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            }
            #expect(try names(folder) == ["a", "b", "c"])
            #expect(try names("\(folder)/b.yaml") == ["b"])
        }
    }

    @Test func standardInputIsReadOnlyWhenMeant() throws {
        #expect(try ManifestSource("-").read { Data(Self.service.utf8) }.services.count == 1)
        try withFolder { folder in
            try Self.service.write(toFile: "\(folder)/a.yaml", atomically: true, encoding: .utf8)
            _ = try ManifestSource(folder).read {
                Issue.record("standard input was read")
                return Data()
            }
        }
    }

    @Test func whatCannotBeReadIsNamed() throws {
        try withFolder { folder in
            let missing = #expect(throws: KubernetesError.self) { try names("\(folder)/no.yaml") }
            #expect(missing?.description == "\(folder)/no.yaml: there is no such file or folder")
            let empty = #expect(throws: KubernetesError.self) { try names(folder) }
            #expect(empty?.description == "no Service in \(folder); nothing is changed")
            try Data([0xff, 0xfe, 0x00]).write(to: URL(fileURLWithPath: "\(folder)/a.yaml"))
            let binary = #expect(throws: KubernetesError.self) { try names(folder) }
            #expect(binary?.description == "\(folder)/a.yaml: not UTF-8 text")
        }
    }
}
