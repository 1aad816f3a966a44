import Foundation
import Testing
import Wire

@testable import PacketIO

/// A host and a director joined by a veth pair, the director's end with an AF_XDP socket.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces and load XDP programs"))
struct XDPSocketTests {
    private let network: TestNetwork
    private let host: PacketSocket
    private let slots = FrameSlots()

    init() throws {
        let network = try TestNetwork(["host", "director"])
        for name in ["host", "director"] { try network.run(name, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1") }
        try network.join("host:eth0", "director:eth0")
        try network.run("director", "ip link set eth0 address 02:00:00:00:01:01")
        self.network = network
        host = try network.enter("host") { try PacketSocket(interface: "eth0", filter: .everything) }
    }

    private func open(_ modes: [RedirectProgram.Mode] = [.native]) throws -> XDPSocket {
        try network.enter("director") {
            let program = try RedirectProgram(interface: "eth0")
            try program.attach(modes)
            let socket = try XDPSocket(program)
            var traffic = OwnedTraffic()
            traffic.addresses = [address("203.0.113.80")]
            try program.own(traffic, hostAddresses: [])
            return socket
        }
    }

    /// Numbered packets to the address that is owned.
    private func packets(_ count: Int, length: Int = 60) -> [[UInt8]] {
        (0..<count).map { number in
            TestFrames.packet(
                17, from: address("198.51.100.7"), to: address("203.0.113.80"),
                TestFrames.ports(4000, number) + [UInt8](repeating: 0x5a, count: length - 54))
        }
    }

    private func receive(_ count: Int, from port: any PacketIO.Port) -> [[UInt8]] {
        var received: [[UInt8]] = []
        _ = waitUntil(seconds: 5) {
            received += slots.receive(from: port).map { $0.bytes.array() }
            return received.count >= count
        }
        return received
    }

    @Test(arguments: RedirectProgram.Mode.allCases)
    func framesArriveWholeInOrderWithHeadroom(mode: RedirectProgram.Mode) throws {
        let port = try open([mode])
        #expect(port.program.mode == mode)
        // More than the socket has chunks: each is given back.
        for round in 0..<40 {
            let sent = packets(64, length: 1514)
            slots.transmit(FrameMemory(sent), to: host)
            let received = receive(64, from: port)
            #expect(received.count == 64, "round \(round)")
            #expect(received.elementsEqual(sent), "round \(round)")
            guard received.count == 64 else { return }
        }
        #expect(port.statistics.received == 40 * 64)
        #expect(port.statistics.receiveDrops == 0)
        #expect(
            port.capabilities == PortCapabilities(mtu: 1500, carriesPartialChecksums: false, carriesSuperFrames: false))
        slots.transmit(FrameMemory(packets(1)), to: host)
        let found = waitUntil(seconds: 5) {
            guard let frame = slots.receive(from: port).first else { return false }
            #expect(frame.start >= Frame.headroom)
            return true
        }
        #expect(found)
    }

    @Test func framesAreSentInOrder() throws {
        let port = try open()
        for _ in 0..<80 {
            let sent = packets(64, length: 200)
            slots.transmit(FrameMemory(sent), to: port)
            #expect(receive(64, from: host) == sent)
        }
        #expect(port.statistics.transmitted == 80 * 64)
        #expect(port.statistics.transmitDrops == 0)
    }

    @Test func whatIsNotOwnedStaysWithTheHost() throws {
        let port = try open()
        try network.run("director", "ip address add 203.0.113.1/24 dev eth0")
        try network.run("host", "ip address add 203.0.113.2/24 dev eth0")
        try network.run("host", "ping -c 1 -W 5 203.0.113.1")
        #expect(slots.receive(from: port).isEmpty)
    }

    @Test func aFrameTooLongOrSuperIsCountedNotSent() throws {
        let port = try open()
        var facts = OffloadFacts()
        facts.segmentation = OffloadFacts.Segmentation.tcpv4
        slots.transmit(FrameMemory(packets(1), offload: facts), to: port)
        slots.transmit(FrameMemory(packets(1, length: 5000)), to: port)
        #expect(port.statistics.transmitDrops == 2)
        #expect(port.statistics.transmitted == 0)
    }

    /// While a veth driver runs the program, its peer cuts super-frames itself; else they come, and no chunk holds one.
    @Test(arguments: [(RedirectProgram.Mode.native, 3, UInt64(0)), (.generic, 0, 1)])
    func superFramesArriveAsSegmentsOrAreCounted(mode: RedirectProgram.Mode, segments: Int, dropped: UInt64) throws {
        let port = try open([mode])
        var header = TestFrames.ports(4000, 80)
        (header[12], header[13]) = (5 << 4, 0x18)
        let packet = TestFrames.packet(
            6, from: address("198.51.100.7"), to: address("203.0.113.80"),
            header + [UInt8](repeating: 0x5a, count: 4200))
        var facts = OffloadFacts()
        facts.segmentation = OffloadFacts.Segmentation.tcpv4
        (facts.segmentSize, facts.headerLength) = (1400, 54)
        (facts.needsChecksum, facts.checksumStart, facts.checksumOffset) = (true, 34, 16)
        slots.transmit(FrameMemory([packet], offload: facts), to: host)
        #expect(receive(segments, from: port).map(\.count) == [Int](repeating: 1454, count: segments))
        #expect(waitUntil(seconds: 5) { port.statistics.receiveDrops == dropped })
    }

    @Test func theProgramGoesWithItsOwner() throws {
        var port: XDPSocket? = try open()
        #expect(try network.run("director", "ip link show eth0").contains("xdp"))
        #expect(port?.descriptor != nil)
        #expect(port?.isFreeToAsk == true)
        port = nil
        #expect(try waitUntil(seconds: 5) { try !network.run("director", "ip link show eth0").contains("xdp") })
    }

    @Test func aSecondProgramIsRefusedInOneLine() throws {
        let port = try open()
        #expect(throws: PortError.self) { try open() }
        do {
            _ = try open()
        } catch let error as PortError {
            #expect(error.description.contains("attach the XDP program to eth0"))
            #expect(!error.description.contains("\n"))
        }
        #expect(port.statistics.received == 0)
    }

    @Test func anInterfaceWithAnMTUTooLargeIsRefused() throws {
        try network.run("director", "ip link set eth0 mtu 9000")
        let error = #expect(throws: PortError.self) {
            try network.enter("director") { _ = try XDPSocket(try RedirectProgram(interface: "eth0")) }
        }
        #expect(error?.description.contains("MTU of 9000 is more than 3826") == true)
    }
}
