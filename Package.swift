// swift-tools-version: 6.3
import PackageDescription

/// What every library target is held to: Swift 6 mode, each unsafe use marked, no warnings.
let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

/// Test targets: strict memory safety is left out (inside `#expect` it is unworkable).
let relaxed: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
    .treatWarning("DeprecatedDeclaration", as: .warning),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
    name: "fairlead",
    products: [
        .executable(name: "fairlead", targets: ["fairlead"]),
        .library(name: "Wire", targets: ["Wire"]),
        .library(name: "Balancer", targets: ["Balancer"]),
        .library(name: "PacketIO", targets: ["PacketIO"]),
        .library(name: "Dataplane", targets: ["Dataplane"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CLinuxNet", cSettings: [.define("_GNU_SOURCE")]),
        .target(name: "CPrefetch"),
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(name: "CMnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .target(name: "Wire", swiftSettings: strict),
        .target(name: "Balancer", dependencies: ["Wire", "CPrefetch"], swiftSettings: strict),
        .target(name: "PacketIO", dependencies: ["Wire", "Balancer", "CLinuxNet", "CPcap"], swiftSettings: strict),
        .target(name: "Dataplane", dependencies: ["Wire", "Balancer", "PacketIO", "CLinuxNet"], swiftSettings: strict),
        .target(
            name: "Netlink", dependencies: ["Wire", "Balancer", "CLinuxNet", "CMnl", system], swiftSettings: strict),
        .target(name: "Configuration", dependencies: ["Wire", "Balancer", yams], swiftSettings: strict),
        .target(name: "Control", dependencies: ["Wire", "Balancer", "Configuration"], swiftSettings: strict),
        .target(
            name: "Kubernetes", dependencies: ["Wire", "Balancer", "Control", yams], swiftSettings: strict),
        .target(
            name: "Replay", dependencies: ["Wire", "Balancer", "PacketIO", "Dataplane", "Control"],
            swiftSettings: strict),
        .target(name: "Decapsulation", dependencies: ["Wire", "PacketIO", "CLinuxNet"], swiftSettings: strict),
        .executableTarget(
            name: "fairlead",
            dependencies: [
                "Wire", "Balancer", "PacketIO", "Dataplane", "Netlink", "Configuration", "Control", "Kubernetes",
                "Replay",
                "Decapsulation",
                argumentParser, logging, serviceLifecycle, unixSignals,
            ],
            swiftSettings: strict),
        .target(name: "TestSupport", dependencies: ["Wire"], path: "Tests/TestSupport", swiftSettings: relaxed),
        .testTarget(name: "WireTests", dependencies: ["Wire", "TestSupport"], swiftSettings: relaxed),
        .testTarget(name: "BalancerTests", dependencies: ["Balancer", "Wire", "TestSupport"], swiftSettings: relaxed),
        .testTarget(
            name: "PacketIOTests", dependencies: ["PacketIO", "Balancer", "Wire", "CLinuxNet", "TestSupport"],
            swiftSettings: relaxed),
        .testTarget(
            name: "DataplaneTests", dependencies: ["Dataplane", "PacketIO", "Balancer", "Wire", "TestSupport"],
            swiftSettings: relaxed),
        .testTarget(
            name: "NetlinkTests", dependencies: ["Netlink", "Balancer", "TestSupport"], swiftSettings: relaxed),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration", "Balancer", "TestSupport", yams],
            swiftSettings: relaxed),
        .testTarget(
            name: "ControlTests", dependencies: ["Control", "Configuration", "Balancer", "TestSupport"],
            swiftSettings: relaxed),
        .testTarget(
            name: "KubernetesTests", dependencies: ["Kubernetes", "Control", "Balancer", "Wire"], exclude: ["Case"],
            swiftSettings: relaxed),
        .testTarget(
            name: "ReplayTests", dependencies: ["Replay", "Control", "TestSupport"], swiftSettings: relaxed),
        .testTarget(
            name: "DecapsulationTests", dependencies: ["Decapsulation", "PacketIO", "Wire", "TestSupport"],
            swiftSettings: relaxed),
        .testTarget(
            name: "NamespaceTests", dependencies: ["TestSupport", subprocess], swiftSettings: relaxed),
    ],
    swiftLanguageModes: [.v6]
)

// For a sanitizer only its tests are built (`scripts/test`): those of the test targets that FAIRLEAD_TEST_TARGETS names.
if let chosen = Context.environment["FAIRLEAD_TEST_TARGETS"], !chosen.isEmpty {
    var needed = Set<String>()
    var waiting = chosen.split(separator: " ").map(String.init)
    while let name = waiting.popLast() {
        guard let target = package.targets.first(where: { $0.name == name }) else {
            fatalError("FAIRLEAD_TEST_TARGETS: there is no \(name)")
        }
        guard needed.insert(name).inserted else { continue }
        for case .byNameItem(let dependency, _) in target.dependencies { waiting.append(dependency) }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    package.products = []
}
