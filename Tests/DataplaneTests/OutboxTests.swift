import TestSupport
import Testing
import Wire

@testable import Dataplane

/// What a director has to send, bounded in frames and bytes.
@Suite struct OutboxTests {
    @Test func isBoundedInFrames() throws {
        var outbox = Outbox(capacity: 2, arena: 4096)
        let first = try #require(outbox.make(60))
        #expect(outbox.send(first) && outbox.send(first))
        #expect(!outbox.send(first) && outbox.count == 2)
        outbox.pass(first)
        outbox.empty()
        #expect(outbox.count == 0 && outbox.passedCount == 0 && outbox.send(first))
    }

    @Test func isBoundedInBytes() {
        var outbox = Outbox(capacity: 64, arena: 1024)
        #expect(outbox.make(1000) == nil)
        var made = 0
        while outbox.make(100) != nil { made += 1 }
        #expect(made == 4, "128 bytes of headroom and 100 of frame take 256")
        outbox.empty()
        #expect(outbox.make(100) != nil)
    }

    /// Made frames do not share bytes, and a copy is one.
    @Test func copies() throws {
        var outbox = Outbox(capacity: 8, arena: 4096)
        let heap = HeapPacket(TestDirector.request(.syn).frame())
        let copy = try #require(outbox.copy(heap.frame(interface: 1)))
        heap.bytes[0] = 0xff
        #expect(copy.bytes.array() == TestDirector.request(.syn).frame() && copy.interface == 1)
        let other = try #require(outbox.make(60))
        other.writable.zero(0, 60)
        #expect(copy.bytes.array() == TestDirector.request(.syn).frame())
    }

    /// Room for whatever one more frame may lead to.
    @Test func knowsWhetherThereIsRoom() {
        #expect(Outbox().hasRoom)
        #expect(!Outbox(capacity: 160, arena: 1 << 20).hasRoom)
        #expect(!Outbox(capacity: 1024, arena: 1 << 17).hasRoom)
        #expect(Outbox(capacity: 10, arena: 4096).hasRoom(for: 10, of: 100))
        #expect(!Outbox(capacity: 10, arena: 4096).hasRoom(for: 11, of: 100))
        #expect(!Outbox(capacity: 10, arena: 4096).hasRoom(for: 10, of: 400))
    }
}
