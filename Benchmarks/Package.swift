// swift-tools-version: 6.3
import PackageDescription

/// A product of the main package, which is a path dependency: its modules are visible here as far as they are public.
func fairlead(_ name: String) -> Target.Dependency { .product(name: name, package: "fairlead") }

/// A benchmark target; its sources lie below `Benchmarks`, where the plugin looks for them.
func benchmark(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "\(name)Benchmarks", dependencies: [.product(name: "Benchmark", package: "benchmark")] + dependencies,
        path: "Benchmarks/\(name)", plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
}

let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "fairlead", path: "../"),
        // Without traits: with them it wants packages that cannot be resolved everywhere.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(
            name: "Traffic",
            dependencies: [fairlead("Wire"), fairlead("Balancer"), fairlead("PacketIO"), fairlead("Dataplane")]),
        .executableTarget(name: "PacketCost", dependencies: ["Traffic"]),
        .executableTarget(name: "PickCost", dependencies: [fairlead("Wire"), fairlead("Balancer")]),
        benchmark("Wire", [fairlead("Wire"), fairlead("Balancer"), "Traffic"]),
        benchmark("ConnectionTable", [fairlead("Wire"), fairlead("Balancer")]),
        benchmark("Schedulers", [fairlead("Wire"), fairlead("Balancer")]),
        benchmark("Forwarding", [fairlead("Wire"), fairlead("Balancer")]),
        benchmark("Pipeline", ["Traffic"]),
    ],
    swiftLanguageModes: [.v6]
)
