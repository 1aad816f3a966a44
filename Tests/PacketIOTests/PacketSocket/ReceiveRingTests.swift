import CLinuxNet
import Glibc
import Testing
import Wire

@testable import PacketIO

/// A packet socket with a receive ring on one end of a veth pair, frames sent from the other.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces"))
struct ReceiveRingTests {
    private let network: TestNetwork
    private let slots = FrameSlots()

    init() throws {
        let network = try TestNetwork(["host", "director"])
        for name in ["host", "director"] { try network.run(name, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1") }
        try network.join("host:eth0", "director:eth0")
        self.network = network
    }

    private func open(_ place: String, ring: Int, receiveBuffer: Int = 8 << 20) throws -> PacketSocket {
        var settings = PacketSocket.Settings()
        settings.receiveRing = ring
        settings.receiveBuffer = receiveBuffer
        let options = settings
        return try network.enter(place) {
            try PacketSocket(interface: "eth0", filter: place == "host" ? .nothing : .everything, settings: options)
        }
    }

    private func setMTU(_ mtu: Int) throws {
        for name in ["host", "director"] { try network.run(name, "ip link set eth0 mtu \(mtu)") }
    }

    /// A frame of an EtherType for local experiments, whose bytes depend on its number.
    private func experiment(_ number: Int, length: Int) -> [UInt8] {
        [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 0x88, 0xb5] + TestFrames.big(number)
            + (16..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }

    @Test(arguments: [(1500, 2048), (1700, 2048), (1900, 4096), (9000, 16384), (65535, 16384)])
    func slotsHoldFramesOfTheMTU(mtu: Int, slotSize: Int) throws {
        let socket = CLinuxNet_openPacketSocket()
        try #require(socket >= 0)
        defer { close(socket) }
        #expect(CLinuxNet_setOption(socket, SOL_PACKET, PACKET_VNET_HDR, 1) == 0)
        let ring = ReceiveRing(socket, bytes: 1 << 20, mtu: mtu)
        #expect(ring.slotSize == slotSize)
        #expect(ring.count == (1 << 20) / slotSize)
        #expect(ring.slotSize == ReceiveRing.largestSlot || ring.slotSize - ReceiveRing.frameOffset >= mtu + 14 + 50)
    }

    @Test func thereIsNoneWhereNoneIsWantedOrCanBeHad() throws {
        #expect(ReceiveRing(-1, bytes: 0, mtu: 1500).count == 0)
        #expect(ReceiveRing(-1, bytes: 1 << 20, mtu: 1500).count == 0)
        let port = try open("director", ring: 0)
        #expect(port.details.hasPrefix("recvmmsg"))
    }

    /// `poll` tells of an interface that went down until somebody takes the error, and looking into the ring does not.
    @Test func anInterfaceThatWentDownIsToldOnce() throws {
        let port = try open("director", ring: 1 << 20)
        func events() throws -> Int16 {
            var waiting = pollfd(fd: try #require(port.descriptor), events: Int16(POLLIN), revents: 0)
            _ = CLinuxNet_poll(&waiting, 1, 2_000_000_000)
            return waiting.revents
        }
        try network.run("director", "ip link set eth0 down")
        #expect(try events() & Int16(POLLERR) != 0)
        #expect(slots.receive(from: port).isEmpty)
        #expect(try events() & Int16(POLLERR) != 0)
        #expect(CLinuxNet_takeError(try #require(port.descriptor)) == ENETDOWN)
        #expect(try events() & Int16(POLLERR) == 0)
        #expect(CLinuxNet_takeError(try #require(port.descriptor)) == 0)
    }

    /// Frames that fit into their slots and such that do not, in batches of random size: each arrives whole, in its order,
    /// many times around a ring of 32 slots.
    @Test(arguments: [UInt64](1...3)) func longFramesComeInTheirOrder(seed: UInt64) throws {
        try setMTU(30_000)
        let host = try open("host", ring: 0)
        try network.run("director", "ip link set eth0 mtu 1500")
        let port = try open("director", ring: 1 << 16)
        #expect(port.ring.count == 32)
        try setMTU(30_000)
        var random = SeededRandom(seed: seed)
        var number = 0
        var long = 0
        for _ in 0..<40 {
            let sent = (0..<Int.random(in: 1...30, using: &random)).map { _ in
                number += 1
                let isLong = Bool.random(using: &random)
                long += isLong ? 1 : 0
                // Slots have room for 1,910 bytes.
                return experiment(number, length: .random(in: isLong ? 1911...30_000 : 60...1910, using: &random))
            }
            slots.transmit(FrameMemory(sent), to: host)
            var received: [[UInt8]] = []
            let isComplete = waitUntil(seconds: 5) {
                received += slots.receive(from: port).map { $0.bytes.array() }
                return received.count >= sent.count
            }
            #expect(isComplete)
            #expect(received == sent)
            // Gives back the slots that are lent.
            #expect(slots.receive(from: port).isEmpty)
        }
        #expect(long > 100)
        #expect(port.statistics.received == UInt64(number))
        #expect(port.statistics.receiveDrops == 0)
    }

    /// A frame that does not fit into its slot, and finds no room on the socket either, is lost alone.
    @Test func aLongFrameWithoutRoomIsADrop() throws {
        try setMTU(30_000)
        let host = try open("host", ring: 0)
        try network.run("director", "ip link set eth0 mtu 1500")
        let port = try open("director", ring: 1 << 16, receiveBuffer: 4096)
        try setMTU(30_000)
        let sent = (0..<20).map { experiment($0, length: $0 % 2 == 0 ? 100 : 30_000) }
        slots.transmit(FrameMemory(sent), to: host)
        var received: [[UInt8]] = []
        let isComplete = waitUntil(seconds: 5) {
            received += slots.receive(from: port).map { $0.bytes.array() }
            return received.count + Int(port.statistics.receiveDrops) == 20
        }
        #expect(isComplete)
        #expect(received.filter { $0.count == 100 } == sent.filter { $0.count == 100 })
        #expect(port.statistics.receiveDrops > 0)
    }

    /// What is lent may be rewritten, grown into the headroom and sent on.
    @Test func lentFramesCanBeSentOn() throws {
        let host = try open("host", ring: 0)
        let port = try open("director", ring: 1 << 16)
        let back = try network.enter("host") { try PacketSocket(interface: "eth0", filter: .everything) }
        let sent = (0..<30).map { experiment($0, length: 200) }
        slots.transmit(FrameMemory(sent), to: host)
        var lent: [Frame] = []
        #expect(
            waitUntil(seconds: 5) {
                lent = slots.receive(from: port)
                return !lent.isEmpty
            })
        let front = FrameMemory([experiment(0, length: 100)])
        withExtendedLifetime(front) {
            for place in lent.indices {
                let isRoom = lent[place].prepend(100)
                #expect(isRoom)
                lent[place].bytes.prefix(100).copy(from: front.frames[0].bytes)
            }
        }
        lent.withUnsafeMutableBufferPointer { port.transmit($0) }
        var returned: [[UInt8]] = []
        #expect(
            waitUntil(seconds: 5) {
                returned += slots.receive(from: back).map { $0.bytes.array() }
                return returned.count >= lent.count
            })
        #expect(returned == sent.prefix(lent.count).map { experiment(0, length: 100) + $0 })
    }

    /// An error that the interface left on the socket is not taken for a frame.
    @Test func anInterfaceThatWentDownCostsNoFrame() throws {
        try setMTU(30_000)
        let host = try open("host", ring: 0)
        try network.run("director", "ip link set eth0 mtu 1500")
        let port = try open("director", ring: 1 << 16)
        try setMTU(30_000)
        for number in 0..<3 {
            try network.run("director", "ip link set eth0 down")
            try network.run("director", "ip link set eth0 up")
            let sent = experiment(number, length: 20_000)
            var received: [[UInt8]] = []
            let isThere = waitUntil(seconds: 10) {
                slots.transmit(FrameMemory([sent]), to: host)
                received += slots.receive(from: port).map { $0.bytes.array() }
                return !received.isEmpty
            }
            #expect(isThere)
            #expect(received.allSatisfy { $0 == sent })
            while !slots.receive(from: port).isEmpty {}
        }
        #expect(port.statistics.receiveDrops == 0)
    }
}
