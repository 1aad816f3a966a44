import Testing
import Wire

@testable import PacketIO

@Suite struct CapturePortTests {
    private func capture(_ count: Int) throws -> TemporaryFile {
        let records = (0..<count).flatMap {
            CaptureBytes.record(UInt32($0), 0, [UInt8](repeating: UInt8($0), count: 60))
        }
        return try TemporaryFile(CaptureBytes.header(CaptureBytes.microseconds) + records)
    }

    @Test func aCapturePlaysInOrderAndAtItsPace() throws {
        let file = try capture(100)
        let port = try CapturePort(name: "eth0", reader: CaptureReader(path: file.path), writer: nil) {
            CaptureTimestamp(seconds: 0)
        }
        let one = FrameSlots(1)
        #expect(port.nextTimestamp == CaptureTimestamp(seconds: 0))
        let first = try #require(one.receive(from: port).first)
        #expect(first.bytes.array() == [UInt8](repeating: 0, count: 60))
        #expect(first.start == Frame.headroom)
        #expect(first.offload == OffloadFacts())
        #expect(port.nextTimestamp == CaptureTimestamp(seconds: 1))
        let many = FrameSlots(200)
        #expect(many.receive(from: port).map { $0.bytes[0] } == [UInt8](1...64))
        #expect(many.receive(from: port).map { $0.bytes[0] } == [UInt8](65...99))
        #expect(many.receive(from: port).isEmpty)
        #expect(port.nextTimestamp == nil)
        #expect(port.failure == nil)
        #expect(port.statistics.received == 100)
    }

    @Test func transmittedFramesAreStampedAndWritten() throws {
        let file = try TemporaryFile()
        var step: Int64 = 0
        let writer = try CaptureWriter(path: file.path)
        let port = try CapturePort(name: "eth0", reader: nil, writer: writer) {
            step += 1
            return CaptureTimestamp(seconds: 5, microseconds: step)
        }
        let slots = FrameSlots()
        #expect(slots.receive(from: port).isEmpty)
        let memory = FrameMemory([[1, 1], [2, 2, 2]])
        slots.transmit(memory, to: port)
        try writer.close()
        let reader = try CaptureReader(path: file.path)
        #expect(try reader.next()?.bytes == [1, 1])
        let second = try #require(try reader.next())
        #expect(second.bytes == [2, 2, 2])
        #expect(second.timestamp == CaptureTimestamp(seconds: 5, microseconds: 2))
        #expect(port.statistics.transmitted == 2)
    }

    @Test func withoutAWriterFramesAreDropped() throws {
        let port = try CapturePort(name: "eth0", reader: nil, writer: nil) { CaptureTimestamp(seconds: 0) }
        FrameSlots().transmit(FrameMemory([[1]]), to: port)
        #expect(port.statistics.transmitDrops == 1)
    }

    @Test func aTruncatedCaptureStopsWithAFailure() throws {
        let whole = try capture(3)
        let file = try TemporaryFile(Array(try whole.bytes().dropLast(5)))
        let port = try CapturePort(name: "eth0", reader: CaptureReader(path: file.path), writer: nil) {
            CaptureTimestamp(seconds: 0)
        }
        #expect(FrameSlots().receive(from: port).count == 2)
        guard case .corrupt(file.path, 3, _) = port.failure else {
            Issue.record("\(String(describing: port.failure))")
            return
        }
        #expect(FrameSlots().receive(from: port).isEmpty)
    }

    @Test func aFrameThatFitsNoBufferIsAFailure() throws {
        let file = try TemporaryFile()
        let writer = try CaptureWriter(path: file.path, snapshotLength: CaptureWriter.largestSnapshotLength)
        try writer.write([UInt8](repeating: 0, count: 70_000), at: CaptureTimestamp(seconds: 0))
        try writer.close()
        let port = try CapturePort(name: "eth0", reader: CaptureReader(path: file.path), writer: nil) {
            CaptureTimestamp(seconds: 0)
        }
        #expect(FrameSlots().receive(from: port).isEmpty)
        #expect(port.failure == .tooLong(file: file.path, frame: 1, bytes: 70_000))
    }
}
