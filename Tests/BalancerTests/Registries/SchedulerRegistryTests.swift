import Foundation
import Testing

@testable import Balancer

/// Walks the registry of schedulers: a member without its source file, its test file or its row in README.md fails.
@Suite struct SchedulerRegistryTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The title's words joined: `Locality-based least connection` is `LocalityBasedLeastConnection`.
    private static func fileName(_ kind: SchedulerKind) -> String {
        kind.title.split { $0 == " " || $0 == "-" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    @Test(arguments: SchedulerKind.allCases)
    func hasItsFiles(kind: SchedulerKind) {
        let name = Self.fileName(kind)
        for path in ["Sources/Balancer/Schedulers/\(name).swift", "Tests/BalancerTests/Schedulers/\(name)Tests.swift"] {
            #expect(FileManager.default.fileExists(atPath: Self.root.appendingPathComponent(path).path), "\(path)")
        }
    }

    @Test(arguments: SchedulerKind.allCases)
    func hasItsRowInTheReadMe(kind: SchedulerKind) throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(text.contains("`\(kind.name)`"))
    }
}
