import TestSupport
import Testing
import Wire

@testable import Dataplane

/// What a director has to send, bounded in frames and bytes.
@Suite struct OutboxTests {
    @Test func isBoundedInFrames() throws {
        var outbox = Outbox(capacity: 2, arena: 4096)
        let made = outbox.make(60)
        let frame = try #require(made)
        let sent = (0..<3).map { _ in outbox.send(frame) }
        #expect(sent == [true, true, false])
        let full = outbox.count
        outbox.pass(frame)
        let passed = outbox.passedCount
        outbox.empty()
        let counts = [full, passed, outbox.count, outbox.passedCount]
        #expect(counts == [2, 1, 0, 0])
        let again = outbox.send(frame)
        #expect(again)
    }

    /// 128 bytes of headroom and 100 of frame take 256.
    @Test func isBoundedInBytes() {
        var outbox = Outbox(capacity: 64, arena: 1024)
        let tooLong = outbox.make(1000) != nil
        let made = (0..<6).map { _ in outbox.make(100) != nil }
        #expect(!tooLong && made == [true, true, true, true, false, false])
        outbox.empty()
        let again = outbox.make(100) != nil
        #expect(again)
    }

    /// Made frames do not share bytes, and a copy is one.
    @Test func copies() throws {
        var outbox = Outbox(capacity: 8, arena: 4096)
        let bytes = TestDirector.request(.syn).frame()
        let heap = HeapPacket(bytes)
        let copied = outbox.copy(heap.frame(interface: 1))
        let copy = try #require(copied)
        heap.bytes[0] = 0xff
        #expect(copy.bytes.array() == bytes && copy.interface == 1)
        let made = outbox.make(60)
        try #require(made).writable.zero(0, 60)
        #expect(copy.bytes.array() == bytes)
    }

    /// Room for whatever one more frame may lead to, and for a number of made frames.
    @Test(arguments: [(1, 64, true), (0, 64, false), (1, 0, false)])
    func knowsWhetherThereIsRoom(frames: Int, bytes: Int, expected: Bool) {
        let hasRoom = Outbox(capacity: Outbox.mostFrames + frames, arena: Outbox.mostBytes + bytes).hasRoom
        #expect(hasRoom == expected)
    }

    @Test(arguments: [(10, 100, true), (11, 100, false), (10, 400, false)])
    func knowsWhetherPiecesFit(pieces: Int, length: Int, expected: Bool) {
        let hasRoom = Outbox(capacity: 10, arena: 4096).hasRoom(for: pieces, of: length)
        #expect(hasRoom == expected)
    }
}
