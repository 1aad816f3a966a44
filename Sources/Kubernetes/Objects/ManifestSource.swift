public import Foundation

/// Where manifests come from: a file, every `.yaml`, `.yml` and `.json` file of a folder, or standard input.
public struct ManifestSource: Hashable, Sendable {
    /// A path, or `-`.
    public let path: String

    /// From a path, or `-` for standard input.
    public init(_ path: String) { self.path = path }

    /// Whether it is standard input, which can be read once only.
    public var isStandardInput: Bool { path == "-" }

    /// The objects it holds now.
    ///
    /// - Parameter standardInput: Reads all of it; called for `-` only.
    public func read(standardInput: () -> Data) throws(KubernetesError) -> ClusterObjects {
        var reader = ManifestReader()
        if isStandardInput {
            try reader.read(try Self.text(standardInput(), "standard input"), name: "standard input")
        } else {
            for file in try files() { try reader.read(try Self.contents(of: file), name: file) }
        }
        guard !reader.objects.services.isEmpty else {
            throw KubernetesError("no Service in \(isStandardInput ? "standard input" : path); nothing is changed")
        }
        return reader.objects
    }

    /// The text of a file.
    public static func contents(of path: String) throws(KubernetesError) -> String {
        let data: Data
        do {
            data = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw KubernetesError("\(path) cannot be read: \(error.localizedDescription)")
        }
        return try text(data, path)
    }

    private static func text(_ data: Data, _ name: String) throws(KubernetesError) -> String {
        guard let text = String(data: data, encoding: .utf8) else { throw KubernetesError("\(name): not UTF-8 text") }
        return text
    }

    /// The files to read, sorted; hidden ones, such as an editor's, are none.
    private func files() throws(KubernetesError) -> [String] {
        var isFolder: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw KubernetesError("\(path): there is no such file or folder")
        }
        guard isFolder.boolValue else { return [path] }
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw KubernetesError("\(path) cannot be read: \(error.localizedDescription)")
        }
        return names.filter { name in
            !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
        }.sorted().map { "\(path)/\($0)" }
    }
}
