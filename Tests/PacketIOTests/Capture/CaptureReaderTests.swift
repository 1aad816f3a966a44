import Testing

@testable import PacketIO

@Suite struct CaptureReaderTests {
    private static let frame = [UInt8](0..<60)

    @Test(arguments: [CaptureBytes.microseconds: Int64(1000), CaptureBytes.nanoseconds: 1])
    func bothResolutionsAreRead(magic: UInt32, scale: Int64) throws {
        let file = try TemporaryFile(
            CaptureBytes.header(magic) + CaptureBytes.record(7, 3, Self.frame)
                + CaptureBytes.record(8, 999_999, Array(Self.frame.prefix(20)), length: 60))
        let reader = try CaptureReader(path: file.path)
        #expect(try reader.nextTimestamp() == CaptureTimestamp(seconds: 7, nanoseconds: 3 * scale))
        #expect(
            try reader.next()
                == CapturedFrame(
                    timestamp: CaptureTimestamp(seconds: 7, nanoseconds: 3 * scale), originalLength: 60,
                    bytes: Self.frame))
        let cut = try #require(try reader.next())
        #expect(cut.timestamp.nanoseconds == 999_999 * scale)
        #expect(cut.originalLength == 60)
        #expect(cut.bytes == Array(Self.frame.prefix(20)))
        #expect(try reader.next() == nil)
        #expect(try reader.nextTimestamp() == nil)
        #expect(reader.framesRead == 2)
    }

    @Test func aFileThatIsNotThereIsNamed() {
        #expect(throws: CaptureError.cannotOpen(file: "/nonexistent/a.pcap", reason: "No such file or directory")) {
            try CaptureReader(path: "/nonexistent/a.pcap")
        }
    }

    @Test(arguments: [[UInt8](), [UInt8]("no capture at all, but text".utf8)]) func rubbishIsRefused(bytes: [UInt8])
        throws
    {
        let file = try TemporaryFile(bytes)
        let error = try #require(throws: CaptureError.self) { try CaptureReader(path: file.path) }
        guard case .cannotOpen(file.path, let reason) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(!reason.isEmpty)
        #expect(error.description.hasPrefix(file.path + ": "))
        #expect(!error.description.contains("\n"))
    }

    @Test func otherLinkTypesAreNamed() throws {
        let file = try TemporaryFile(CaptureBytes.header(CaptureBytes.microseconds, linkType: 113))
        let error = try #require(throws: CaptureError.self) { try CaptureReader(path: file.path) }
        #expect(error == .notEthernet(file: file.path, linkType: "LINUX_SLL"))
        #expect(
            error.description == "\(file.path): link type is LINUX_SLL; only Ethernet captures can be read")
    }

    /// Cut anywhere within the second record, the error names the second frame.
    @Test(arguments: [1, 15, 16, 30, 75]) func aTruncatedCaptureNamesTheFrame(kept: Int) throws {
        let whole = CaptureBytes.record(1, 0, Self.frame)
        let file = try TemporaryFile(CaptureBytes.header(CaptureBytes.microseconds) + whole + whole.prefix(kept))
        let reader = try CaptureReader(path: file.path)
        #expect(try reader.next() != nil)
        let error = try #require(throws: CaptureError.self) { try reader.next() }
        guard case .corrupt(file.path, 2, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(error.description.hasPrefix("\(file.path): frame 2: "))
    }

    @Test func anAbsurdLengthIsCorrupt() throws {
        let file = try TemporaryFile(
            CaptureBytes.header(CaptureBytes.microseconds) + CaptureBytes.little([1, 0, 0x7fff_ffff, 0x7fff_ffff]))
        let reader = try CaptureReader(path: file.path)
        let error = try #require(throws: CaptureError.self) { try reader.next() }
        guard case .corrupt(file.path, 1, _) = error else {
            Issue.record("\(error)")
            return
        }
    }
}
