import Foundation

/// Where this repository and its program are.
enum Program {
    /// The repository's top directory, without a slash at its end.
    static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { url.deleteLastPathComponent() }
        return url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path
    }()

    /// The program under test: the one that `FAIRLEAD_BINARY` names, else the one built beside these tests, else the
    /// release build.
    static let path: String = {
        if let named = ProcessInfo.processInfo.environment["FAIRLEAD_BINARY"] { return named }
        let built = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        // With XCTest's bundle the arguments name the bundle's own directory.
        let places = [built.path, root + "/.build/debug", root + "/.build/release"].map { $0 + "/fairlead" }
        return places.first { FileManager.default.isExecutableFile(atPath: $0) } ?? places[1]
    }()
}
