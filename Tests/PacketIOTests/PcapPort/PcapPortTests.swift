import Testing
import Wire

@testable import PacketIO

@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces"))
struct PcapPortTests {
    private let network: TestNetwork

    init() throws {
        network = try TestNetwork(["host", "director"])
        for name in ["host", "director"] { try network.run(name, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1") }
        try network.join("host:eth0", "director:eth0")
        try network.run("director", "ip link set eth0 address 02:00:00:00:01:01")
    }

    private static let virtual = address("203.0.113.80")
    private static let request = TestFrames.packet(
        17, from: address("198.51.100.7"), to: virtual, TestFrames.ports(4000, 53))

    private func open() throws -> (port: PcapPort, peer: PacketSocket) {
        let port = try network.enter("director") { try PcapPort(interface: "eth0") }
        return (port, try network.enter("host") { try PacketSocket(interface: "eth0", filter: .everything) })
    }

    private func traffic(port: UInt16) -> OwnedTraffic {
        var traffic = OwnedTraffic()
        traffic.virtual = [.init(transportProtocol: 17, address: Self.virtual, port: port)]
        return traffic
    }

    private func own(_ port: PcapPort, _ traffic: OwnedTraffic) throws {
        try port.own(traffic, filter: SocketFilter(traffic, leaving: PacketSocket.roomForMore), hostAddresses: [])
    }

    /// Receive until a frame came, or time is up.
    private func receive(_ port: any PacketIO.Port, _ slots: FrameSlots) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        _ = waitUntil(seconds: 5) {
            frames += slots.receive(from: port).map { frame in (0..<frame.length).map { frame.bytes.load($0) } }
            return !frames.isEmpty
        }
        return frames
    }

    private func send(_ port: any PacketIO.Port, _ bytes: [UInt8]) {
        FrameSlots().transmit(FrameMemory([bytes]), to: port)
    }

    @Test func takesWhatIsOwnedAndNothingElse() throws {
        let (port, peer) = try open()
        let slots = FrameSlots()
        try own(port, traffic(port: 53))
        let other = TestFrames.packet(17, from: address("198.51.100.7"), to: Self.virtual, TestFrames.ports(4000, 54))
        send(peer, other)
        send(peer, Self.request)
        #expect(receive(port, slots) == [Self.request])
        #expect(port.statistics.received == 1)
        #expect(try port.include(traffic(port: 54)))
        send(peer, other)
        #expect(receive(port, slots) == [other])
    }

    @Test func sendsAndDoesNotHearItself() throws {
        let (port, peer) = try open()
        try own(port, traffic(port: 53))
        send(port, Self.request)
        let slots = FrameSlots()
        #expect(receive(peer, slots).contains(Self.request))
        #expect(port.receive(into: slots.slots) == 0)
        #expect(port.statistics.transmitted == 1)
    }

    @Test func whatCannotBeSentIsCounted() throws {
        let (port, _) = try open()
        send(port, [UInt8](repeating: 2, count: 4000))
        #expect(port.statistics.transmitDrops == 1)
        #expect(port.statistics.transmitted == 0)
    }

    @Test func openingSaysWhatIsWrong() throws {
        let error = #expect(throws: PortError.self) {
            _ = try network.enter("director") { try PcapPort(interface: "eth7") }
        }
        #expect(error == .noSuchInterface("eth7"))
    }
}
