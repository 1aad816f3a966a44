import Testing
import Wire

@testable import PacketIO

@Suite struct CaptureWriterTests {
    @Test func theFileIsByteForByteAsSaid() throws {
        let file = try TemporaryFile()
        let frame = [UInt8](0..<60)
        let writer = try CaptureWriter(path: file.path)
        try writer.write(frame, at: CaptureTimestamp(seconds: 12, nanoseconds: 34_567))
        let memory = FrameMemory([[1, 2, 3]])
        try withExtendedLifetime(memory) {
            try writer.write(memory.frames[0].bytes, at: CaptureTimestamp(seconds: 13, microseconds: 2))
        }
        #expect(writer.framesWritten == 2)
        try writer.close()
        try writer.close()
        let expected =
            CaptureBytes.header(CaptureBytes.microseconds) + CaptureBytes.record(12, 34, frame)
            + CaptureBytes.record(13, 2, [1, 2, 3])
        #expect(try file.bytes() == expected)
    }

    @Test func anEmptyCaptureHasAHeader() throws {
        let file = try TemporaryFile()
        try CaptureWriter(path: file.path).close()
        #expect(try file.bytes() == CaptureBytes.header(CaptureBytes.microseconds))
    }

    @Test func superFramesAreUncutWhenAnnounced() throws {
        let file = try TemporaryFile()
        let frame = [UInt8](repeating: 7, count: FrameBuffers.largestFrame)
        let writer = try CaptureWriter(path: file.path, snapshotLength: CaptureWriter.largestSnapshotLength)
        try writer.write(frame, at: CaptureTimestamp(seconds: 0))
        try writer.close()
        #expect(try CaptureReader(path: file.path).next()?.bytes == frame)
    }

    @Test func aPlaceThatIsNotThereIsNamed() {
        #expect(throws: CaptureError.cannotCreate(file: "/nonexistent/a.pcap", reason: "No such file or directory")) {
            try CaptureWriter(path: "/nonexistent/a.pcap")
        }
    }

    @Test func aFullDiskIsAnError() throws {
        let writer = try CaptureWriter(path: "/dev/full")
        let error = try #require(throws: CaptureError.self) {
            for second in 0..<1000 {
                try writer.write([UInt8](repeating: 0, count: 1000), at: CaptureTimestamp(seconds: Int64(second)))
            }
            try writer.close()
        }
        guard case .cannotWrite("/dev/full", _, "No space left on device") = error else {
            Issue.record("\(error)")
            return
        }
    }
}
