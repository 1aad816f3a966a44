import Testing
import Wire

@testable import PacketIO

@Suite struct RecorderTests {
    @Test func bothDirectionsAreRecorded() throws {
        let file = try TemporaryFile()
        let base = try LoopbackPort(name: "lo0")
        let writer = try CaptureWriter(path: file.path, snapshotLength: CaptureWriter.largestSnapshotLength)
        var second: Int64 = 0
        let recorder = Recorder(base, to: writer) {
            second += 1
            return CaptureTimestamp(seconds: second)
        }
        base.inject([1, 2, 3])
        let slots = FrameSlots()
        #expect(slots.receive(from: recorder).map { $0.bytes.array() } == [[1, 2, 3]])
        slots.transmit(FrameMemory([[4], [5]]), to: recorder)
        #expect(base.takeTransmitted().map(\.bytes) == [[4], [5]])
        try writer.close()
        let expected =
            CaptureBytes.record(1, 0, [1, 2, 3]) + CaptureBytes.record(2, 0, [4]) + CaptureBytes.record(3, 0, [5])
        #expect(try Array(file.bytes().dropFirst(24)) == expected)
        #expect(recorder.name == "lo0")
        #expect(recorder.statistics == base.statistics)
        #expect(!recorder.isFreeToAsk)
    }

    @Test func aCaptureThatFailsDoesNotDisturbTraffic() throws {
        let base = try LoopbackPort(name: "lo0", capacity: 10_000)
        let recorder = Recorder(base, to: try CaptureWriter(path: "/dev/full")) { CaptureTimestamp(seconds: 0) }
        let memory = FrameMemory([[UInt8](repeating: 0, count: 1000)])
        for _ in 0..<100 { FrameSlots(1).transmit(memory, to: recorder) }
        #expect(base.takeTransmitted().count == 100)
        guard case .cannotWrite("/dev/full", _, _) = recorder.failure else {
            Issue.record("\(String(describing: recorder.failure))")
            return
        }
    }
}
