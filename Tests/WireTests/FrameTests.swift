import TestSupport
import Testing
import Wire

@Suite struct FrameTests {
    @Test func anEmptyFrameHasItsHeadroom() {
        var buffer = [UInt8](repeating: 0, count: 512)
        buffer.withUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return }
            let frame = Frame(buffer: base, capacity: memory.count)
            #expect(frame.start == Frame.headroom && frame.length == 0 && frame.interface == 0)
            #expect(frame.bytes.count == 0 && frame.writable.count == 512 - Frame.headroom)
            #expect(frame.offload == OffloadFacts())
            frame.writable[0] = 7
        }
        #expect(buffer[Frame.headroom] == 7)
    }

    @Test func prependingTakesHeadroomAndRemovingGivesIt() {
        let packet = HeapPacket([1, 2, 3])
        var frame = packet.frame(interface: 4)
        #expect(frame.interface == 4)
        let prepended = frame.prepend(2)
        #expect(prepended)
        frame.bytes[0] = 9
        frame.bytes[1] = 8
        #expect(frame.bytes.array() == [9, 8, 1, 2, 3])
        frame.removeFirst(3)
        #expect(frame.bytes.array() == [2, 3])
        #expect(frame.start == Frame.headroom + 1)
        withExtendedLifetime(packet) {}
    }

    @Test func prependingMoreThanThereIsChangesNothing() {
        let packet = HeapPacket([1, 2, 3])
        var frame = packet.frame()
        let tooMuch = frame.prepend(Frame.headroom + 1)
        #expect(!tooMuch && frame.bytes.array() == [1, 2, 3])
        let all = frame.prepend(Frame.headroom)
        let oneMore = frame.prepend(1)
        #expect(all && !oneMore)
        withExtendedLifetime(packet) {}
    }

    @Test func offloadFactsSpeakOfChecksumsAndSuperFrames() {
        var facts = OffloadFacts()
        #expect(facts.checksumState == .complete && !facts.isSuperFrame)
        facts.needsChecksum = true
        facts.segmentation = OffloadFacts.Segmentation.tcpv4 | OffloadFacts.Segmentation.ecn
        #expect(facts.checksumState == .partial && facts.isSuperFrame)
    }

    @Test func headroomFitsAnOuterHeader() {
        // IPv6, UDP and GUE with remote checksum offload.
        #expect(Frame.headroom >= IPv6Header.length + UDPHeader.length + 8)
    }
}
