import Foundation
import Glibc
import Testing
import Wire

@testable import PacketIO

/// capset(2), of which there is no header here.
@_silgen_name("capset") private func capset(_ header: UnsafePointer<UInt32>, _ data: UnsafePointer<UInt32>) -> Int32

/// A host and a director joined by a veth pair; frames are sent from the host by a packet socket that receives nothing.
@Suite(
    .serialized,
    .enabled(if: TestNetwork.isPermitted, "needs root and permission to make network namespaces"))
struct PacketSocketTests {
    private let network: TestNetwork
    private let host: PacketSocket
    private let slots = FrameSlots()

    init() throws {
        let network = try TestNetwork(["host", "director"])
        for name in ["host", "director"] { try network.run(name, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1") }
        try network.join("host:eth0", "director:eth0")
        try network.run("director", "ip link set eth0 address 02:00:00:00:01:01")
        self.network = network
        host = try network.enter("host") { try PacketSocket(interface: "eth0") }
    }

    private func open(
        _ filter: SocketFilter = .everything, _ settings: PacketSocket.Settings = .init()
    ) throws -> PacketSocket {
        try network.enter("director") { try PacketSocket(interface: "eth0", filter: filter, settings: settings) }
    }

    /// Frames come by recvmmsg, or by a receive ring of 32 slots.
    static let rings = [0, 1 << 16]

    private func settings(ring: Int) -> PacketSocket.Settings {
        var settings = PacketSocket.Settings()
        settings.receiveRing = ring
        return settings
    }

    /// Frames of an EtherType for local experiments, numbered.
    private func experiments(_ count: Int, length: Int = 60) -> [[UInt8]] {
        (0..<count).map { number in
            [2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 0xfe, 0x88, 0xb5] + TestFrames.big(number)
                + [UInt8](repeating: 0x5a, count: length - 16)
        }
    }

    private func receive(_ count: Int, from port: PacketSocket) -> [[UInt8]] {
        var received: [[UInt8]] = []
        _ = waitUntil(seconds: 5) {
            received += slots.receive(from: port).map { $0.bytes.array() }
            return received.count >= count
        }
        return received
    }

    @Test(arguments: rings) func framesArriveWholeInOrderWithHeadroom(ring: Int) throws {
        let port = try open(.everything, settings(ring: ring))
        let sent = experiments(150, length: 1514)
        for first in stride(from: 0, to: 150, by: 30) {
            slots.transmit(FrameMemory(Array(sent[first..<(first + 30)])), to: host)
            #expect(receive(30, from: port) == Array(sent[first..<(first + 30)]))
            #expect(slots.receive(from: port).isEmpty)
        }
        #expect(host.statistics.transmitted == 150)
        #expect(port.statistics.received == 150)
        #expect(port.statistics.receiveDrops == 0)
        #expect(port.capabilities.mtu == 1500)
        #expect(port.isFreeToAsk == (ring > 0))
        slots.transmit(FrameMemory(experiments(1)), to: host)
        let frame = try #require(slots.receive(from: port).first)
        #expect(frame.start == Frame.headroom)
        #expect(frame.offload == OffloadFacts())
        #expect(frame.capacity - frame.start >= (ring > 0 ? 1900 : FrameBuffers.largestFrame))
    }

    @Test func nothingIsCapturedBeforeAFilterSaysSo() throws {
        let port = try open(.nothing)
        slots.transmit(FrameMemory(experiments(10)), to: host)
        #expect(slots.receive(from: port).isEmpty)
        try port.attach(.everything)
        let sent = experiments(3)
        slots.transmit(FrameMemory(sent), to: host)
        #expect(receive(3, from: port) == sent)
    }

    /// Devices that filter hand over only the groups that somebody asked for; those of neighbour solicitations for our
    /// addresses are among none of the host's.
    @Test func theInterfaceTakesInAllMulticastWhileASocketIsOpen() throws {
        func takesAll() throws -> Bool {
            let flags = try network.run("director", "cat /sys/class/net/eth0/flags")
                .trimmingCharacters(in: .whitespacesAndNewlines).dropFirst(2)
            // IFF_ALLMULTI
            return try #require(UInt32(flags, radix: 16)) & 0x200 != 0
        }
        #expect(try !takesAll())
        var port: PacketSocket? = try open(.nothing)
        #expect(try takesAll())
        withExtendedLifetime(port) {}
        port = nil
        #expect(try !takesAll())
    }

    @Test(arguments: rings) func ownFramesAreNotReceived(ring: Int) throws {
        let port = try open(.everything, settings(ring: ring))
        let second = try open(.everything, settings(ring: ring))
        let peer = try network.enter("host") { try PacketSocket(interface: "eth0", filter: .everything) }
        let sent = experiments(20)
        slots.transmit(FrameMemory(sent), to: port)
        #expect(receive(20, from: peer) == sent)
        slots.transmit(FrameMemory(experiments(1)), to: host)
        #expect(receive(1, from: port).count == 1)
        #expect(receive(1, from: second).count == 1)
        #expect(slots.receive(from: port).isEmpty)
        #expect(slots.receive(from: second).isEmpty)
    }

    /// The kernel's verdict on random frames is the interpreter's, which `SocketFilterTests` holds against the model.
    @Test(arguments: [UInt64](1...3)) func theKernelRunsTheFilterAsTheInterpreterDoes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let sample = TrafficSample(&random, addresses: [4, 40, 400][Int(seed) % 3], ports: 20)
        let port = try open(.nothing)
        let filter = try port.own(sample.traffic)
        let machine = FilterMachine(program: filter.instructions)
        var frames: [[UInt8]] = []
        while frames.count < 2000 {
            let frame = sample.frame(&random)
            if frame.count >= 14 { frames.append(frame) }
        }
        let expected = try frames.filter { try machine.run($0) > 0 }
        slots.transmit(FrameMemory(frames), to: host)
        #expect(host.statistics.transmitted == 2000)
        let received = receive(expected.count, from: port)
        #expect(received.count == expected.count)
        #expect(received == expected)
        #expect((200...1900).contains(received.count))
    }

    /// A filter of nearly 4,096 instructions attaches; where the kernel allows filters less room, a coarser one does.
    @Test func largeFiltersAttachOrBecomeCoarser() throws {
        var traffic = OwnedTraffic()
        for index in 0..<3000 {
            traffic.virtual.append(
                .init(transportProtocol: 6, address: IPAddress(v4: UInt32(index) &* 0x9e37_79b9), port: 80))
        }
        let port = try open(.nothing)
        let exact = try port.own(traffic)
        #expect(exact.precision == .exact)
        #expect(exact.instructions.count > 3000)
        try network.run("director", "sysctl -qw net.core.optmem_max=20480")
        let second = try open(.nothing)
        let coarse = try second.own(traffic)
        #expect(coarse.precision == .addressRanges)
        let request = TestFrames.packet(
            6, from: address("198.51.100.7"), to: traffic.virtual[7].address, TestFrames.ports(4000, 80))
        slots.transmit(FrameMemory([request]), to: host)
        #expect(receive(1, from: second) == [request])
        #expect(receive(1, from: port) == [request])
    }

    @Test(arguments: rings) func whatFindsNoRoomIsReported(ring: Int) throws {
        var settings = settings(ring: ring)
        settings.receiveBuffer = 4096
        let port = try open(.everything, settings)
        slots.transmit(FrameMemory(experiments(2000)), to: host)
        var received = 0
        let isComplete = waitUntil(seconds: 5) {
            received += slots.receive(from: port).count
            return UInt64(received) + port.statistics.receiveDrops == 2000
        }
        #expect(isComplete)
        #expect(received > 0)
        let statistics = port.statistics
        #expect(statistics.receiveDrops > 0)
        #expect(port.statistics.receiveDrops == statistics.receiveDrops)
    }

    @Test func oneBadFrameDoesNotHinderTheOthers() throws {
        let port = try open()
        var bad = OffloadFacts()
        bad.needsChecksum = true
        bad.checksumStart = 5000
        bad.checksumOffset = 16
        let good = FrameMemory(experiments(3))
        let long = FrameMemory(experiments(1, length: 1600))
        let wrong = FrameMemory(experiments(1), offload: bad)
        let short = FrameMemory([[1, 2, 3]])
        let bare = FrameMemory(experiments(1))
        try withExtendedLifetime([good, long, wrong, short, bare]) {
            var noHeadroom = try #require(bare.frames.first)
            noHeadroom.start = OffloadFacts.virtioHeaderLength - 1
            var frames = [
                good.frames[0], long.frames[0], wrong.frames[0], good.frames[1], short.frames[0], noHeadroom,
                good.frames[2],
            ]
            frames.withUnsafeMutableBufferPointer { host.transmit($0) }
        }
        #expect(receive(3, from: port) == experiments(3))
        #expect(host.refusals.tooBig == 1)
        #expect(host.refusals.invalid == 2)
        #expect(host.refusals.noHeadroom == 1)
        #expect(host.statistics.transmitted == 3)
        #expect(host.statistics.transmitDrops == 4)
    }

    @Test func anInterfaceThatIsDownRefuses() throws {
        try network.run("host", "ip link set eth0 down")
        slots.transmit(FrameMemory(experiments(70)), to: host)
        #expect(host.refusals.interfaceDown == 70)
        #expect(host.statistics.transmitDrops == 70)
        try network.run("host", "ip link set eth0 up")
        let port = try open()
        #expect(
            waitUntil(seconds: 10) {
                slots.transmit(FrameMemory(experiments(1)), to: host)
                return !slots.receive(from: port).isEmpty
            })
    }

    @Test func theQueueingDisciplineMayBeBypassed() throws {
        var settings = PacketSocket.Settings()
        settings.bypassesQueueingDiscipline = true
        let options = settings
        let sender = try network.enter("host") { try PacketSocket(interface: "eth0", settings: options) }
        let port = try open()
        slots.transmit(FrameMemory(experiments(100)), to: sender)
        #expect(receive(100, from: port) == experiments(100))
    }

    @Test func openingSaysWhatIsWrong() throws {
        #expect(throws: PortError.noSuchInterface("eth9")) {
            try network.enter("director") { _ = try PacketSocket(interface: "eth9") }
        }
        #expect(throws: PortError.noSuchInterface("a-name-longer-than-any-interface")) {
            try network.enter("director") { _ = try PacketSocket(interface: "a-name-longer-than-any-interface") }
        }
        try network.run("director", "ip tuntap add dev tun0 mode tun")
        #expect(throws: PortError.notEthernet("tun0", type: 65534)) {
            try network.enter("director") { _ = try PacketSocket(interface: "tun0") }
        }
    }

    @Test func withoutPermissionOpeningSaysSo() throws {
        #expect(throws: PortError.notPermitted(action: "open packet socket on eth0")) {
            try network.enter("director") {
                // _LINUX_CAPABILITY_VERSION_3; the calling thread loses all capabilities, the process none.
                try #require(capset([0x2008_0522, 0], [0, 0, 0, 0, 0, 0]) == 0)
                _ = try PacketSocket(interface: "eth0")
            }
        }
    }

    @Test(arguments: rings) func theDescriptorIsReadableWhileFramesWait(ring: Int) throws {
        let port = try open(.everything, settings(ring: ring))
        let descriptor = try #require(port.descriptor)
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 0) == 0)
        slots.transmit(FrameMemory(experiments(1)), to: host)
        #expect(poll(&waiting, 1, 5000) == 1)
        #expect(receive(1, from: port).count == 1)
        // A worker waits when nothing comes any more: slots of a ring that are lent are given back by then.
        #expect(slots.receive(from: port).isEmpty)
        #expect(poll(&waiting, 1, 0) == 0)
    }
}
