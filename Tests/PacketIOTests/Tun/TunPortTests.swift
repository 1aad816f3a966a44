import Foundation
import Testing
import Wire

@testable import PacketIO

@Suite(
    .serialized,
    .enabled(
        if: TestNetwork.isPermitted && access("/dev/net/tun", R_OK | W_OK) == 0,
        "needs root, permission to make network namespaces, and /dev/net/tun"))
struct TunPortTests {
    private let network: TestNetwork
    private let port: TunPort
    private let slots = FrameSlots(8)

    init() throws {
        let network = try TestNetwork(["host"])
        self.network = network
        port = try network.enter("host") { try TunPort(name: "tun0") }
        try network.run("host", "ip addr add 192.0.2.1/24 dev tun0")
    }

    /// What the host sends comes behind an Ethernet header, and what is transmitted reaches it: an answered ping.
    @Test func packetsGoBothWays() throws {
        let ping = try network.start("host", "ping -c 1 -W 10 192.0.2.9")
        var request: Frame?
        #expect(
            waitUntil(seconds: 10) {
                request = slots.receive(from: port).first { $0.bytes[12] == 8 }
                return request != nil
            })
        var frame = try #require(request)
        #expect(frame.bytes.prefix(14).array() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0])
        let header = IPv4Header(unchecked: frame.bytes.dropping(14))
        #expect(frame.length == 14 + Int(header.totalLength) && !frame.offload.needsChecksum)
        let (host, other) = (header.source, header.destination)
        #expect(host == address("192.0.2.1") && other == address("192.0.2.9"))
        // An echo request becomes its reply; the addresses' sum stays.
        _ = header.setSource(other)
        _ = header.setDestination(host)
        let echo = ICMPHeader(unchecked: header.payload)
        echo.type = 0
        echo.fillChecksum()
        withUnsafeMutablePointer(to: &frame) {
            port.transmit(UnsafeMutableBufferPointer(start: $0, count: 1))
        }
        #expect(try ping.finish(seconds: 15).contains("1 received"))
        #expect(port.statistics.transmitted == 1 && port.statistics.received >= 1)
    }

    /// A partial checksum is completed by the host: a datagram to a closed port is answered by ICMP only when it is right.
    @Test func partialChecksumsPassToTheHost() throws {
        let datagram = TestFrames.packet(
            17, from: address("192.0.2.9"), to: address("192.0.2.1"),
            TestFrames.ports(4000, 4001, length: 4) + [0, 12, 0, 0, 1, 2, 3, 4])
        var offload = OffloadFacts()
        offload.needsChecksum = true
        offload.checksumStart = 34
        offload.checksumOffset = 6
        let memory = FrameMemory([datagram], offload: offload)
        let bytes = memory.frames[0].bytes
        bytes.store(Checksum.checksum(bytes.dropping(14).prefix(20)).bigEndian, 14 + 10)
        let pseudo = Checksum.pseudoHeader(
            address("192.0.2.9"), address("192.0.2.1"), transportProtocol: 17, length: 12)
        bytes.store(Checksum.fold(pseudo).bigEndian, 34 + 6)
        slots.transmit(memory, to: port)
        var isAnswered = false
        #expect(
            waitUntil(seconds: 10) {
                isAnswered = slots.receive(from: port).contains { $0.bytes[12] == 8 && $0.bytes[14 + 9] == 1 }
                return isAnswered
            })
    }

    @Test func aNameInUseIsRefused() throws {
        #expect(throws: TunError.nameInUse("tun0")) {
            _ = try network.enter("host") { try TunPort(name: "tun0") }
        }
    }
}
