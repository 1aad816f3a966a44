import CLinuxNet
import Glibc
import Testing

@testable import PacketIO

@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces"))
struct PortChoiceTests {
    private let network: TestNetwork

    init() throws {
        network = try TestNetwork(["host", "director"])
        try network.join("host:eth0", "director:eth0")
    }

    private func open(_ choice: PortChoice, workers: Int = 1) throws -> PortChoice.Opened {
        try network.enter("director") { try choice.open(interface: "eth0", workers: workers) }
    }

    @Test(arguments: [
        (PortChoice.packet, PortKind.packet), (.packetMmap, .packet), (.packetMmsg, .packet), (.xdp, .xdp),
        (.xdpGeneric, .xdp), (.pcap, .pcap),
    ])
    func opensWhatIsAsked(choice: PortChoice, kind: PortKind) throws {
        let opened = try open(choice)
        #expect(opened.ports.map(\.kind) == [kind])
        #expect(opened.reason == "as asked")
        #expect(opened.ports[0].keepsFramesFromHost == (kind == .xdp))
    }

    /// A veth driver runs XDP itself.
    @Test(arguments: [(PortChoice.xdp, RedirectProgram.Mode.native), (.xdpGeneric, .generic)])
    func choosesWhereTheProgramRuns(choice: PortChoice, mode: RedirectProgram.Mode) throws {
        let port = try #require(try open(choice).ports.first as? XDPPort)
        #expect(port.program.mode == mode)
    }

    /// A ring of slots for the interface's MTU, where it was asked for or there is one processor.
    @Test(arguments: [(PortChoice.packetMmap, true), (.packetMmsg, false), (.packet, CLinuxNet_processors() == 1)])
    func choosesHowFramesCome(choice: PortChoice, hasRing: Bool) throws {
        let ports = try open(choice, workers: 2).ports
        for port in ports {
            let socket = try #require(port as? PacketSocket)
            #expect(socket.ring.count == (hasRing ? 4096 : 0))
            #expect(socket.details.hasPrefix(hasRing ? "a receive ring of 4096 frames" : "recvmmsg"))
        }
    }

    /// With `--bypass-qdisc`, and only then; asked of the kernel.
    @Test(arguments: [false, true]) func passesTheQueueingDisciplineWhereAsked(bypasses: Bool) throws {
        for choice in [PortChoice.packet, .packetMmap, .packetMmsg, .auto] {
            let opened = try network.enter("director") {
                try choice.open(interface: "eth0", workers: 2, bypassesQueueingDiscipline: bypasses)
            }
            #expect(opened.ports.count == 2)
            for port in opened.ports {
                let socket = try #require(port as? PacketSocket)
                var value: CInt = -1
                var length = socklen_t(MemoryLayout<CInt>.size)
                #expect(getsockopt(socket.socket.number, SOL_PACKET, PACKET_QDISC_BYPASS, &value, &length) == 0)
                #expect(value == (bypasses ? 1 : 0))
            }
        }
    }

    /// AF_XDP would take a veth pair's super-frames from its peer.
    @Test func autoTakesPacketSocketsOnVeth() throws {
        let opened = try open(.auto, workers: 2)
        #expect(opened.ports.map(\.kind) == [.packet, .packet])
        #expect(opened.reason.contains("veth"))
    }

    @Test(arguments: PortChoice.allCases) func namesAnInterfaceThatIsNotThere(choice: PortChoice) throws {
        let error = #expect(throws: PortError.self) {
            _ = try network.enter("director") { try choice.open(interface: "eth7") }
        }
        #expect(error == .noSuchInterface("eth7"))
    }

    @Test(arguments: [PortChoice.xdp, .xdpGeneric, .pcap]) func saysWhyWorkersCannotShare(choice: PortChoice) throws {
        let error = #expect(throws: PortError.self) { _ = try open(choice, workers: 2) }
        guard case .unsuitable(_, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason.contains("2"))
    }
}
