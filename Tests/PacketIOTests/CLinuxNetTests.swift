import CLinuxNet
import Foundation
import Glibc
import Testing

@Suite struct CLinuxNetTests {
    @Test func anEventIsReadableBetweenSignalAndClear() throws {
        let event = CLinuxNet_openEvent()
        try #require(event >= 0)
        defer { close(event) }
        var waiting = pollfd(fd: event, events: Int16(POLLIN), revents: 0)
        #expect(CLinuxNet_poll(&waiting, 1, 0) == 0)
        CLinuxNet_signalEvent(event)
        CLinuxNet_signalEvent(event)
        #expect(CLinuxNet_poll(&waiting, 1, -1) == 1)
        CLinuxNet_clearEvent(event)
        #expect(CLinuxNet_poll(&waiting, 1, 0) == 0)
    }

    @Test func busyPollingEndsWithAnEventOrTheTime() throws {
        let event = CLinuxNet_openEvent()
        try #require(event >= 0)
        defer { close(event) }
        var waiting = pollfd(fd: event, events: Int16(POLLIN), revents: 0)
        let before = ContinuousClock.now
        #expect(CLinuxNet_pollBusily(&waiting, 1, 2_000_000) == 0)
        #expect(ContinuousClock.now - before >= .milliseconds(2))
        CLinuxNet_signalEvent(event)
        #expect(CLinuxNet_pollBusily(&waiting, 1, 60_000_000_000) == 1)
        #expect(waiting.revents == Int16(POLLIN))
    }

    @Test func processorsAndThreadsAreCounted() {
        #expect(CLinuxNet_onlineProcessors() >= CLinuxNet_processors())
        // This one runs, at least.
        #expect((1..<1 << 20).contains(CLinuxNet_runningThreads()))
    }

    @Test func aThreadIsPinnedAndNamed() throws {
        let (pinned, refused, name) = try onThread {
            let pinned = CLinuxNet_pinCurrentThread(0)
            let refused = [CLinuxNet_pinCurrentThread(-1), CLinuxNet_pinCurrentThread(1 << 20)]
            _ = CLinuxNet_nameCurrentThread("a-name-beyond-fifteen-bytes")
            return (pinned, refused, try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))
        }
        #expect(pinned == 0)
        #expect(refused == [-EINVAL, -EINVAL])
        #expect(name == "a-name-beyond-f\n")
    }

    @Test(arguments: [Int32(0), 1]) func mappedMemoryIsZero(populate: Int32) throws {
        let length = 1 << 20
        let memory = try #require(CLinuxNet_map(length, populate))
        let bytes = UnsafeRawBufferPointer(start: memory, count: length)
        #expect(bytes.allSatisfy { $0 == 0 })
        CLinuxNet_unmap(memory, length)
        #expect(CLinuxNet_map(1 << 62, 0) == nil)
        #expect(CLinuxNet_map(.max, populate) == nil)
    }

    /// A block begins where a huge page can, and all of it is there.
    @Test func mappedMemoryIsThereAndNoMore() throws {
        let length = 5 << 20 | 100
        let memory = try #require(CLinuxNet_map(length, 1))
        defer { CLinuxNet_unmap(memory, length) }
        #expect(UInt(bitPattern: memory) % (2 << 20) == 0)
        #expect(UnsafeRawBufferPointer(start: memory, count: length).allSatisfy { $0 == 0 })
        #expect(residentPages(memory, length) == (5 << 20) / 4096 + 1)
    }

    @Test func memoryForLaterIsNotTouched() throws {
        let length = 8 << 20
        let memory = try #require(CLinuxNet_map(length, 0))
        defer { CLinuxNet_unmap(memory, length) }
        memory.storeBytes(of: 1, toByteOffset: length / 2, as: UInt8.self)
        #expect(residentPages(memory, length) == 1)
    }

    private func residentPages(_ memory: UnsafeMutableRawPointer, _ length: Int) -> Int {
        var pages = [UInt8](repeating: 0, count: (length + 4095) / 4096)
        return mincore(memory, length, &pages) == 0 ? pages.count { $0 & 1 == 1 } : -1
    }
}
