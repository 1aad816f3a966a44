import Foundation
import Kubernetes
import Testing

@Suite struct FileWatchTests {
    /// Bounds a wait for something that must come; and one for what must not, which cannot be waited for long.
    private static let long = Duration.seconds(20)
    private static let short = Duration.milliseconds(100)

    /// A folder that is gone afterwards.
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "kube-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder.path)
    }

    private func write(_ text: String, _ path: String, atomically: Bool = false) throws {
        try text.write(toFile: path, atomically: atomically, encoding: .utf8)
    }

    @Test func aFileThatIsWrittenOrReplaced() throws {
        try withFolder { folder in
            let path = "\(folder)/a.yaml"
            try write("1", path)
            let files = try FileWatch([path])
            #expect(!files.wait(Self.short))
            try write("2", path)
            #expect(files.wait(Self.long))
            try write("3", path, atomically: true)
            #expect(files.wait(Self.long))
            try write("4", path)
            #expect(files.wait(Self.long))
            #expect(!files.wait(Self.short))
        }
    }

    @Test func othersInItsFolderDoNotCount() throws {
        try withFolder { folder in
            try write("1", "\(folder)/a.yaml")
            let files = try FileWatch(["\(folder)/a.yaml"])
            try write("1", "\(folder)/b.yaml")
            #expect(!files.wait(Self.short))
        }
    }

    @Test func aFileThatComesLater() throws {
        try withFolder { folder in
            let files = try FileWatch(["\(folder)/a.yaml"])
            try write("1", "\(folder)/a.yaml")
            #expect(files.wait(Self.long))
        }
    }

    @Test func everythingInAFolder() throws {
        try withFolder { folder in
            let files = try FileWatch([folder])
            try write("1", "\(folder)/a.yaml")
            #expect(files.wait(Self.long))
            try FileManager.default.removeItem(atPath: "\(folder)/a.yaml")
            #expect(files.wait(Self.long))
        }
    }

    /// How Kubernetes mounts a ConfigMap: `a.yaml` leads to `..data/a.yaml`, and `..data` to a folder; a new folder is
    /// made, and `..data` replaced in one step.
    @Test func aMountedConfigMap() throws {
        try withFolder { folder in
            let manager = FileManager.default
            for version in ["..1", "..2"] {
                try manager.createDirectory(atPath: "\(folder)/\(version)", withIntermediateDirectories: true)
                try write(version, "\(folder)/\(version)/a.yaml")
            }
            try manager.createSymbolicLink(atPath: "\(folder)/..data", withDestinationPath: "..1")
            try manager.createSymbolicLink(atPath: "\(folder)/a.yaml", withDestinationPath: "..data/a.yaml")
            let files = try FileWatch(["\(folder)/a.yaml"])
            #expect(!files.wait(Self.short))
            try manager.createSymbolicLink(atPath: "\(folder)/..data_tmp", withDestinationPath: "..2")
            try #require(rename("\(folder)/..data_tmp", "\(folder)/..data") == 0)
            #expect(files.wait(Self.long))
            #expect(try String(contentsOfFile: "\(folder)/a.yaml", encoding: .utf8) == "..2")
        }
    }
}
