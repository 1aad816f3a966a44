import Testing
import Wire

@testable import PacketIO

@Suite struct FaultInjectorTests {
    private func run(
        _ faults: FaultInjector.Faults, seed: UInt64 = 1, isReceiving: Bool = true
    ) throws -> (frames: [[UInt8]], counts: FaultInjector.Counts) {
        let base = try LoopbackPort(name: "lo0", capacity: 10_000)
        let injector = try FaultInjector(
            base, receive: isReceiving ? faults : .init(), transmit: isReceiving ? .init() : faults, seed: seed)
        var frames: [[UInt8]] = []
        let slots = FrameSlots(128)
        let contents = (0..<1000).map { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8), 0, 0] }
        guard isReceiving else {
            slots.transmit(FrameMemory(contents), to: injector)
            return (base.takeTransmitted().map(\.bytes), injector.counts)
        }
        for bytes in contents { base.inject(bytes) }
        for _ in 0..<100 { frames += slots.receive(from: injector).map { $0.bytes.array() } }
        return (frames, injector.counts)
    }

    @Test(arguments: [true, false]) func withoutFaultsNothingChanges(isReceiving: Bool) throws {
        let (frames, counts) = try run(.init(), isReceiving: isReceiving)
        #expect(frames.count == 1000)
        #expect(counts == FaultInjector.Counts())
        #expect(frames == frames.sorted { ($0[1], $0[0]) < ($1[1], $1[0]) })
    }

    @Test(arguments: [true, false]) func faultsComeAsOftenAsAsked(isReceiving: Bool) throws {
        let (lost, drops) = try run(.init(drop: 0.3), isReceiving: isReceiving)
        #expect((200...400).contains(drops.dropped))
        #expect(lost.count == 1000 - drops.dropped)
        let (doubled, duplicates) = try run(.init(duplicate: 0.3), isReceiving: isReceiving)
        #expect((200...400).contains(duplicates.duplicated))
        #expect(doubled.count == 1000 + duplicates.duplicated)
        #expect(Set(doubled).count == 1000)
        let (swapped, reorders) = try run(.init(reorder: 0.3), isReceiving: isReceiving)
        #expect((200...400).contains(reorders.reordered))
        #expect(Set(swapped).count == 1000)
        #expect(swapped != swapped.sorted { ($0[1], $0[0]) < ($1[1], $1[0]) })
        let (damaged, corruptions) = try run(.init(corrupt: 1), isReceiving: isReceiving)
        #expect(corruptions.corrupted == 1000)
        for (index, frame) in damaged.enumerated() {
            let original = [UInt8(truncatingIfNeeded: index), UInt8(index >> 8), 0, 0]
            #expect(zip(frame, original).map { ($0 ^ $1).nonzeroBitCount }.reduce(0, +) == 1)
        }
    }

    @Test func theSeedDecides() throws {
        let faults = FaultInjector.Faults(drop: 0.1, duplicate: 0.1, reorder: 0.1, corrupt: 0.1)
        #expect(try run(faults, seed: 5).frames == run(faults, seed: 5).frames)
        #expect(try run(faults, seed: 5).frames != run(faults, seed: 6).frames)
    }

    @Test func aDuplicateHasMemoryOfItsOwn() throws {
        let base = try LoopbackPort(name: "lo0")
        let injector = try FaultInjector(base, receive: .init(duplicate: 1), seed: 1)
        base.inject([1, 2, 3])
        let slots = FrameSlots()
        let frames = slots.receive(from: injector)
        #expect(frames.count == 2)
        frames[0].bytes[0] = 9
        #expect(frames[1].bytes.array() == [1, 2, 3])
    }
}
