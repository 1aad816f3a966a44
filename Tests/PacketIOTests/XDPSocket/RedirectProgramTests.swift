import Balancer
import Foundation
import TestSupport
import Testing
import Wire

@testable import PacketIO

/// The program's verdicts, asked of the kernel frame by frame. A program on a socketless queue passes everything, so each
/// test opens a socket too.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces and load XDP programs"))
struct RedirectProgramTests {
    private let network: TestNetwork
    private let program: RedirectProgram
    private let socket: XDPSocket

    init() throws {
        let network = try TestNetwork(["host", "director"])
        try network.join("host:eth0", "director:eth0")
        self.network = network
        (program, socket) = try network.enter("director") {
            let program = try RedirectProgram(interface: "eth0")
            return (program, try XDPSocket(program))
        }
    }

    /// The model speaks of frames shorter than their IPv4 header's length in its own way; the director drops these anyway.
    private func isSound(_ frame: [UInt8]) -> Bool {
        guard frame.count >= 34, frame[12] == 8, frame[13] == 0 else { return true }
        return frame.count >= 14 + Int(frame[14] & 15) * 4
    }

    @Test(arguments: [UInt64(1), 2, 3]) func choosesAsTheModelOfTheSocketFilter(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let sample = TrafficSample(&random, addresses: 12, ports: 6)
        try program.own(sample.traffic, hostAddresses: [])
        let model = FilterModel(traffic: sample.traffic)
        var chosen = 0
        for _ in 0..<1500 {
            let frame = sample.frame(&random)
            // The kernel tests frames from 14 bytes on.
            guard frame.count > 14, isSound(frame) else { continue }
            let expected = model.passes(frame, .init())
            #expect(try program.redirects(frame) == expected, "\(frame)")
            if expected { chosen += 1 }
        }
        #expect(chosen > 200)
    }

    @Test func followsTheRules() throws {
        let client = address("198.51.100.7")
        let virtual = address("203.0.113.80")
        let server = address("10.0.2.11")
        let request = TestFrames.packet(6, from: client, to: virtual, TestFrames.ports(4000, 80))
        let reply = TestFrames.packet(6, from: server, to: client, TestFrames.ports(8080, 4000))
        #expect(try !program.redirects(request))
        var traffic = OwnedTraffic()
        traffic.virtual = [.init(transportProtocol: 6, address: virtual, port: 80)]
        traffic.servers = [.init(transportProtocol: 6, address: server, port: 8080)]
        try program.own(traffic, hostAddresses: [])
        #expect(try program.redirects(request))
        #expect(try program.redirects(reply))
        traffic.servers = []
        try program.own(traffic, hostAddresses: [])
        #expect(try program.redirects(request))
        #expect(try !program.redirects(reply))
        try program.own(OwnedTraffic(), hostAddresses: [])
        #expect(try !program.redirects(request))
    }

    @Test func takesMoreBesideWhatItHas() throws {
        let client = address("198.51.100.7")
        let virtual = address("203.0.113.80")
        var traffic = OwnedTraffic()
        traffic.virtual = [.init(transportProtocol: 6, address: virtual, port: 80)]
        try program.own(traffic, hostAddresses: [])
        var more = OwnedTraffic()
        more.virtual = [.init(transportProtocol: 6, address: virtual, port: 443)]
        try program.include(more)
        for port in [80, 443] {
            #expect(
                try program.redirects(TestFrames.packet(6, from: client, to: virtual, TestFrames.ports(4000, port))))
        }
        try program.own(traffic, hostAddresses: [])
        #expect(try !program.redirects(TestFrames.packet(6, from: client, to: virtual, TestFrames.ports(4000, 443))))
    }

    @Test func refusesMarkedTraffic() throws {
        var traffic = OwnedTraffic()
        traffic.marked = [MarkedTraffic(rule: MarkRule(mark: 7), isOurs: true)]
        let error = #expect(throws: PortError.self) { try program.own(traffic, hostAddresses: []) }
        #expect(error?.description.contains("--io packet") == true)
    }

    @Test(arguments: ["10.0.2.1", "2001:db8:2::1"])
    func ofTheHostsAddressTheUpperPortsAreLed(text: String) throws {
        var traffic = OwnedTraffic()
        traffic.besideHost = [address(text)]
        try program.own(traffic, hostAddresses: [address(text)])
        let server = address(text.contains(":") ? "2001:db8:2::11" : "10.0.2.11")
        for (port, passes) in [(80, false), (60_999, false), (61_000, true), (65_535, true)] {
            for number in [UInt8(6), 17, 132] {
                let reply = TestFrames.packet(number, from: server, to: address(text), TestFrames.ports(53, port))
                #expect(try program.redirects(reply) == passes)
            }
        }
    }

    /// The director's own connection to a real server is answered to the host itself, even where the host owns the VIP.
    @Test func whatAServerSendsToTheHostStaysThere() throws {
        let host = address("10.0.2.1")
        let server = address("10.0.2.11")
        var traffic = OwnedTraffic()
        traffic.virtual = [.init(transportProtocol: 6, address: host, port: 80)]
        traffic.servers = [.init(transportProtocol: 6, address: server, port: 8080)]
        try program.own(traffic, hostAddresses: [host])
        let toHost = TestFrames.packet(6, from: server, to: host, TestFrames.ports(8080, 4000))
        let fragment = TestFrames.ethernet(
            0x0800, TestFrames.ipv4Packet(6, from: server, to: host, options: 0, fragment: 0x2000, [1, 2, 3, 4]))
        let toService = TestFrames.packet(6, from: server, to: host, TestFrames.ports(4000, 80))
        #expect(try !program.redirects(toHost))
        #expect(try program.redirects(toService))
        // A fragment to a virtual address may belong to the service: it is ours.
        #expect(try program.redirects(fragment))
        traffic.virtual = []
        try program.own(traffic, hostAddresses: [host])
        #expect(try !program.redirects(fragment))
        try program.own(traffic, hostAddresses: [])
        #expect(try program.redirects(toHost))
        #expect(try program.redirects(fragment))
    }

    @Test func theBytesCheckedInAreWhatTheSourceCompilesTo() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let said = try Command("exec \(root.path)/scripts/xdp/build --check").finish(seconds: 120)
        #expect(said.contains("is what"))
    }
}
