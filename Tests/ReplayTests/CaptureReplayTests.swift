import Foundation
import TestSupport
import Testing
import Wire

@testable import Replay

/// Captures through rules and a topology: their own timestamps are the clock.
@Suite struct CaptureReplayTests {
    private static let topology = """
        {"interfaces": {"eth0": {"mac": "02:00:00:00:01:01", "mtu": 1500, "addrs": ["192.0.2.1/24"]},
        "eth1": {"mac": "02:00:00:00:02:01", "mtu": 1500, "addrs": ["10.0.2.1/24"]}},
        "routes": ["default via 192.0.2.254"],
        "neighbours": {"192.0.2.254": {"mac": "02:00:00:00:01:fe", "if": "eth0"},
        "10.0.2.11": {"mac": "02:00:00:00:02:0b", "if": "eth1"}, "10.0.2.12": {"mac": "02:00:00:00:02:0c", "if": "eth1"}},
        "sysctls_set": {"net.ipv4.ip_forward": 1}}
        """
    private static let rules = """
        # two servers
        -A -t 203.0.113.80:80 -s rr
        -a -t 203.0.113.80:80 -r 10.0.2.11:8080 -m

        ipvsadm -a -t 203.0.113.80:80 -r 10.0.2.12:8080 -m
        """

    /// A little-endian microsecond capture.
    private func capture(_ frames: [(seconds: UInt32, microseconds: UInt32, bytes: [UInt8])]) -> Data {
        func word(_ value: UInt32) -> [UInt8] { value.networkBytes.reversed() }
        var bytes = word(0xa1b2_c3d4) + [2, 0, 4, 0] + word(0) + word(0) + word(65535) + word(1)
        for frame in frames {
            let length = word(UInt32(frame.bytes.count))
            bytes += word(frame.seconds) + word(frame.microseconds) + length + length + frame.bytes
        }
        return Data(bytes)
    }

    private func stage() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(Self.topology, "topology.json")
        try folder.write(Self.rules, "rules")
        return folder
    }

    private func run(_ folder: TemporaryFolder, _ captures: [(String, String)]) throws {
        try CaptureReplay.run(
            rules: folder.path("rules"), topology: folder.path("topology.json"),
            captures: captures.map { (interface: $0.0, path: folder.path($0.1)) }, output: folder.path("out"))
    }

    private func request(_ flags: TCPFlags, port: UInt16 = 40000) -> [UInt8] {
        PacketBuilder.tcp(
            from: Endpoint(Endpoint(stringLiteral: "198.51.100.1").address, port), to: "203.0.113.80:80", flags
        )
        .frame()
    }

    private func reply(_ server: Endpoint) -> [UInt8] {
        PacketBuilder.tcp(from: server, to: "198.51.100.1:40000", [.syn, .ack])
            .setting(\.destinationMAC, MACAddress(bits: 0x0200_0000_0201)).frame()
    }

    /// Frames of several captures are taken in the order of their times, and what leaves has the time of its cause.
    @Test func takesFramesInOrderAndKeepsTimes() throws {
        let folder = try stage()
        try capture([(1_700_000_000, 5, request(.syn)), (1_700_000_002, 7, request(.ack))])
            .write(to: folder.url.appendingPathComponent("a.pcap"))
        try capture([(1_700_000_001, 6, reply("10.0.2.12:8080"))])
            .write(to: folder.url.appendingPathComponent("b.pcap"))
        try run(folder, [("eth0", "a.pcap"), ("eth1", "b.pcap")])
        let servers = try CaptureFile(path: folder.path("out/out-eth1.pcap")).records
        #expect(servers.map(\.seconds) == [1_700_000_000, 1_700_000_002])
        #expect(servers.map(\.microseconds) == [5, 7])
        #expect(servers.allSatisfy { PacketSummary(frame: $0.bytes)?.destination == "10.0.2.12:8080" })
        let clients = try CaptureFile(path: folder.path("out/out-eth0.pcap")).records
        #expect(clients.map(\.seconds) == [1_700_000_001] && clients.map(\.microseconds) == [6])
        #expect(
            PacketCheck.problems(
                try #require(clients.first).bytes, .from("203.0.113.80:80"), .flags([.syn, .ack]), .checksumsRight)
                == [])
    }

    /// SYN_RECV lasts 60 s by the captures' clock: then a segment without SYN belongs to nothing.
    @Test(arguments: [(UInt32(50), 1), (70, 0)])
    func theCapturesAreTheClock(later: UInt32, forwarded: Int) throws {
        let folder = try stage()
        try capture([(100, 0, request(.syn)), (100 + later, 0, request(.ack))])
            .write(to: folder.url.appendingPathComponent("a.pcap"))
        try run(folder, [("eth0", "a.pcap")])
        #expect(try CaptureFile(path: folder.path("out/out-eth1.pcap")).records.count == 1 + forwarded)
        #expect(try CaptureFile(path: folder.path("out/out-eth0.pcap")).records.count == 1 - forwarded, "a reset")
    }

    /// FULLNAT behind a mark, offline: the local address is the client that the server sees, and is answered for.
    @Test func takesMarksAndLocalAddresses() throws {
        let folder = try stage()
        try folder.write(
            """
            mark add --dst 203.0.114.0/24 --proto tcp --dport 80 --mark 5
            -A -f 5 -s rr
            -P -f 5 -z 10.0.2.101
            -a -f 5 -r 10.0.2.11 --fullnat

            """, "rules")
        let client = PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.114.9:80", .syn).frame()
        try capture([(1, 0, client)]).write(to: folder.url.appendingPathComponent("a.pcap"))
        let server: [UInt8] = [2, 0, 0, 0, 2, 11]
        let question =
            [UInt8](repeating: 255, count: 6) + server + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + server + [10, 0, 2, 11]
            + [0, 0, 0, 0, 0, 0, 10, 0, 2, 101]
        try capture([(2, 0, question)]).write(to: folder.url.appendingPathComponent("b.pcap"))
        try run(folder, [("eth0", "a.pcap"), ("eth1", "b.pcap")])
        let sent = try CaptureFile(path: folder.path("out/out-eth1.pcap")).records.map(\.bytes)
        try #require(sent.count == 2)
        let request = try #require(PacketSummary(frame: sent[0]))
        #expect(request.source.address == Endpoint(stringLiteral: "10.0.2.101:0").address)
        #expect(request.destination == "10.0.2.11:80")
        #expect(PacketCheck.problems(sent[0], .checksumsRight) == [])
        #expect(Array(sent[1][20..<22]) == [0, 2] && Array(sent[1][28..<32]) == [10, 0, 2, 101])
    }

    @Test func refusesLocalAddressesThatNeighborsHave() throws {
        let folder = try stage()
        try capture([]).write(to: folder.url.appendingPathComponent("a.pcap"))
        try folder.write(Self.rules + "\n-P -t 203.0.113.80:80 -z 10.0.2.12\n", "rules")
        let error = #expect(throws: ReplayError.self) { try run(folder, [("eth0", "a.pcap")]) }
        #expect(error?.description.contains("a host on an attached network answers for it") == true)
    }

    @Test func saysWhichRuleIsWrong() throws {
        let folder = try stage()
        try capture([]).write(to: folder.url.appendingPathComponent("a.pcap"))
        try folder.write(Self.rules + "\n-A -t 203.0.113.80:80 -s rr\n", "rules")
        let error = #expect(throws: ReplayError.self) { try run(folder, [("eth0", "a.pcap")]) }
        #expect(error?.description.contains("rules line 6 ") == true)
        #expect(error?.description.contains("Service already exists") == true)
    }

    @Test func saysWhichInterfaceIsUnknown() throws {
        let folder = try stage()
        try capture([]).write(to: folder.url.appendingPathComponent("a.pcap"))
        let error = #expect(throws: ReplayError.self) { try run(folder, [("eth5", "a.pcap")]) }
        #expect(error?.description.contains("eth5") == true && error?.description.contains("eth0, eth1") == true)
    }

    @Test func saysWhereACaptureIsCut() throws {
        let folder = try stage()
        let whole = capture([(1, 0, request(.syn)), (2, 0, request(.ack))])
        try whole.dropLast(3).write(to: folder.url.appendingPathComponent("a.pcap"))
        let error = #expect(throws: (any Error).self) { try run(folder, [("eth0", "a.pcap")]) }
        #expect(error.map { "\($0)" }?.contains("a.pcap: frame 2") == true)
    }
}
