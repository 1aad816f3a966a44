import Testing
import Wire

@testable import PacketIO

@Suite struct LoopbackPortTests {
    @Test func whatIsInjectedIsReceivedInOrder() throws {
        let port = try LoopbackPort(name: "lo0")
        var facts = OffloadFacts()
        facts.needsChecksum = true
        facts.checksumStart = 34
        port.inject([1, 2, 3], offload: facts)
        for index in 0..<70 { port.inject([UInt8(index), 9]) }
        let slots = FrameSlots()
        let frames = slots.receive(from: port)
        #expect(frames.count == 64)
        #expect(frames[0].bytes.array() == [1, 2, 3])
        #expect(frames[0].offload == facts)
        #expect(frames[0].start == Frame.headroom)
        #expect(frames[63].bytes.array() == [62, 9])
        #expect(slots.receive(from: port).map { $0.bytes[0] } == [UInt8](63...69))
        #expect(slots.receive(from: port).isEmpty)
        #expect(port.statistics.received == 71)
    }

    @Test func whatIsTransmittedCanBeTaken() throws {
        let port = try LoopbackPort(name: "lo0")
        var facts = OffloadFacts()
        facts.segmentation = OffloadFacts.Segmentation.tcpv6
        FrameSlots().transmit(FrameMemory([[1], [2, 2]], offload: facts), to: port)
        #expect(port.takeTransmitted() == [.init(bytes: [1], offload: facts), .init(bytes: [2, 2], offload: facts)])
        #expect(port.takeTransmitted().isEmpty)
        #expect(port.statistics.transmitted == 2)
    }

    @Test func fullQueuesDropAndCount() throws {
        let port = try LoopbackPort(name: "lo0", capacity: 2)
        #expect(port.inject([1]))
        #expect(port.inject([2]))
        #expect(!port.inject([3]))
        FrameSlots().transmit(FrameMemory([[1], [2], [3], [4], [5]]), to: port)
        #expect(port.takeTransmitted().map(\.bytes) == [[1], [2]])
        #expect(port.statistics.receiveDrops == 1)
        #expect(port.statistics.transmitDrops == 3)
        #expect(!port.inject([UInt8](repeating: 0, count: FrameBuffers.largestFrame + 1)))
    }

    @Test func theLargestSuperFrameFits() throws {
        let port = try LoopbackPort(name: "lo0")
        let bytes = (0..<FrameBuffers.largestFrame).map { UInt8(truncatingIfNeeded: $0) }
        #expect(port.inject(bytes))
        let slots = FrameSlots()
        #expect(slots.receive(from: port).first?.bytes.array() == bytes)
    }
}
