import Balancer
import Foundation
import PacketIO
import Testing

/// The rules of docs/architecture.md that the compiler does not hold.
@Suite struct ArchitectureTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What each module may import. The packet path has neither Foundation nor Logging; only `PacketIO`, `Dataplane` and
    /// `Netlink` see the kernel's headers; `Wire` and `Balancer` not even libc.
    static let allowed: [String: Set<String>] = [
        "Wire": [],
        "Balancer": ["Wire", "CPrefetch", "Synchronization"],
        "PacketIO": ["Wire", "Balancer", "CLinuxNet", "CPcap", "Glibc", "Synchronization"],
        "Dataplane": ["Wire", "Balancer", "PacketIO", "CLinuxNet", "Glibc", "Synchronization"],
        "Netlink": ["Wire", "Balancer", "CLinuxNet", "CMnl", "Glibc", "Synchronization", "SystemPackage"],
        "Configuration": ["Wire", "Balancer", "Foundation", "Yams"],
        "Control": [
            "Wire", "Balancer", "Configuration", "Foundation", "Dispatch", "Glibc", "Logging", "Synchronization",
        ],
        "Kubernetes": ["Wire", "Balancer", "Control", "Foundation", "Glibc", "Synchronization", "Yams"],
        "Replay": ["Wire", "Balancer", "PacketIO", "Dataplane", "Control", "Foundation"],
        "Decapsulation": ["Wire", "PacketIO", "CLinuxNet", "Glibc", "Synchronization"],
        "fairlead": [
            "Wire", "Balancer", "PacketIO", "Dataplane", "Netlink", "Configuration", "Control", "Kubernetes", "Replay",
            "Decapsulation", "ArgumentParser", "Foundation", "Glibc", "Logging", "ServiceLifecycle", "Synchronization",
            "UnixSignals",
        ],
    ]

    private static func files(_ folder: String, _ endings: Set<String>) throws -> [URL] {
        let base = root.appendingPathComponent(folder)
        let paths = try #require(FileManager.default.subpaths(atPath: base.path))
        return paths.map { base.appendingPathComponent($0) }.filter { endings.contains($0.pathExtension) }
    }

    /// The modules that a file imports, whatever stands before and behind the word.
    static func imports(_ text: String) -> [String] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), !words[..<place].contains(where: { $0.contains("/") }),
                let name = words[(place + 1)...].first(where: { !kinds.contains($0) })
            else { return nil }
            return String(name.prefix { $0 != "." })
        }
    }

    @Test(arguments: allowed.keys.sorted())
    func importsGoOneWay(module: String) throws {
        let allowed = try #require(Self.allowed[module])
        let files = try Self.files("Sources/\(module)", ["swift"])
        #expect(!files.isEmpty)
        for file in files {
            let other = Set(Self.imports(try String(contentsOf: file, encoding: .utf8))).subtracting(allowed)
            #expect(other.isEmpty, "\(file.lastPathComponent) imports \(other.sorted()), which \(module) may not")
        }
    }

    /// A module that is not in the list has no rule.
    @Test func everyModuleHasARule() throws {
        let folders = try FileManager.default.contentsOfDirectory(
            atPath: Self.root.appendingPathComponent("Sources").path)
        // What is left out are the targets in C.
        let modules = folders.filter { !$0.hasPrefix("C") || $0.hasPrefix("Con") }
        #expect(Set(modules) == Set(Self.allowed.keys))
    }

    @Test func theListUnderstandsImports() {
        let text = """
            public import Wire
            @preconcurrency import struct Glibc.timeval
            // a comment / import Nothing
            /// import Nobody
                import Balancer
            let important = 1
            """
        #expect(Self.imports(text) == ["Wire", "Glibc", "Balancer"])
    }

    /// `CPrefetch` is a header of our own, without libc.
    @Test func thePrefetchIncludesNothing() throws {
        for file in try Self.files("Sources/CPrefetch", ["h"]) {
            #expect(try !String(contentsOf: file, encoding: .utf8).contains("#include"))
        }
    }

    /// Where memory is taken or made raw, the file's name says so: `git ls-files '*Unsafe*'` is the list to audit.
    @Test func rawMemoryIsInFilesThatSaySo() throws {
        let words = [
            "UnsafeMutableRawPointer(", ".allocate(byteCount", ".bindMemory", ".assumingMemoryBound", "unsafeBitCast",
        ]
        for file in try Self.files("Sources", ["swift"]) where !file.lastPathComponent.contains("Unsafe") {
            let text = try String(contentsOf: file, encoding: .utf8)
            for word in words { #expect(!text.contains(word), "\(file.lastPathComponent) has \(word)") }
        }
    }

    // MARK: Registries

    private func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: Self.root.appendingPathComponent(path).path)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test(arguments: ForwardingMethod.allCases)
    func everyForwardingMethodIsTested(method: ForwardingMethod) throws {
        let (option, paths): (String?, [String])
        switch method {
        case .masquerading:
            (option, paths) = (
                "-m",
                ["Sources/Balancer/Forwarding/Masquerading.swift", "Tests/DataplaneTests/DirectorReplyTests.swift"]
            )
        case .tunneling:
            (option, paths) = (
                "-i",
                ["Sources/Balancer/Forwarding/Tunneling.swift", "Tests/BalancerTests/Forwarding/TunnelingTests.swift"]
            )
        case .directRouting: (option, paths) = ("-g", ["Tests/DataplaneTests/DirectorForwardTests.swift"])
        case .fullNAT:
            (option, paths) = (
                "--fullnat",
                ["Sources/Balancer/Forwarding/FullNAT.swift", "Tests/BalancerTests/Forwarding/FullNATTests.swift"]
            )
        // Not a rule's word: what any method becomes where the real server is the director's own host.
        case .localNode: (option, paths) = (nil, ["Tests/DataplaneTests/DirectorForwardTests.swift"])
        }
        for path in paths { #expect(exists(path), "\(method) has no \(path)") }
        if let option { #expect(try text("README.md").contains("(`\(option)`)"), "\(method) has no row in README.md") }
    }

    @Test(arguments: Transport.allCases)
    func everyTransportIsTested(transport: Transport) throws {
        let name: String
        let recordings: [String]
        switch transport {
        case .tcp: (name, recordings) = ("TCP", ["states-matrix-nat", "states-matrix-dr", "states-tcp-tun"])
        case .udp: (name, recordings) = ("UDP", ["nat-rr-udp", "dr-rr-udp", "tun-rr-udp"])
        case .sctp: (name, recordings) = ("SCTP", ["nat-sctp", "dr-sctp"])
        }
        #expect(exists("Sources/Balancer/Transports/\(name)Tracking.swift"))
        for recording in recordings { #expect(exists("Tests/Vectors/\(recording)/order.json")) }
        #expect(try text("README.md").contains(name))
    }

    @Test(arguments: PortKind.allCases)
    func everyPortIsTested(kind: PortKind) throws {
        let folder: String
        let test: String
        switch kind {
        case .packet: (folder, test) = ("PacketSocket", "PacketSocket/PacketSocketTests")
        case .xdp: (folder, test) = ("XDPSocket", "XDPSocket/XDPSocketTests")
        case .pcap: (folder, test) = ("PcapPort", "PcapPort/PcapPortTests")
        case .tun: (folder, test) = ("Tun", "Tun/TunPortTests")
        case .capture: (folder, test) = ("Capture", "Capture/CapturePortTests")
        case .loopback: (folder, test) = ("Loopback", "Loopback/LoopbackPortTests")
        }
        #expect(exists("Sources/PacketIO/\(folder)"))
        #expect(exists("Tests/PacketIOTests/\(test).swift"))
        #expect(try text("docs/packet-path.md").contains("| `\(kind.name)` |"))
    }
}
