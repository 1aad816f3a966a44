import Testing

@testable import Balancer

/// `update_defense_level` of the kernel, as a table: mode before, whether entries are short, mode after, and what is in
/// force.
@Suite struct DefenseTests {
    private func look(_ mode: Int32, free: Int, threshold: Int32 = 100) -> Defense {
        Defense(
            modes: Defense.Modes(entry: mode, packet: mode, secure: mode), free: free, threshold: threshold, rate: 7)
    }

    @Test(arguments: [
        (Int32(0), false, Int32(0)), (0, true, 0), (1, false, 1), (1, true, 2), (2, true, 2), (2, false, 1),
        (3, false, 3), (3, true, 3),
    ])
    func modesFlip(before: Int32, isShort: Bool, after: Int32) {
        let defense = look(before, free: isShort ? 50 : 100)
        #expect(defense.modes == Defense.Modes(entry: after, packet: after, secure: after))
        #expect(defense.dropsEntries == (after >= 2))
        #expect((defense.dropRate != 0) == (after >= 2))
    }

    /// The fewer are free the more are turned away: amemthresh / (amemthresh - free); in mode 3 it is am_droprate.
    @Test(arguments: [(99, Int32(100)), (90, 10), (50, 2), (1, 1), (0, 1)])
    func theRateFollowsWhatIsFree(free: Int, rate: Int32) {
        let defense = look(1, free: free)
        #expect(defense.dropRate == rate && defense.restartsDropping)
        #expect(look(3, free: free).dropRate == 7 && !look(3, free: free).restartsDropping)
    }

    /// The engine looks each second, and when a mode is set.
    @Test func theEngineLooksEachSecond() throws {
        let engine = Engine(EngineConfiguration(entries: 128, services: 4, destinations: 4, secret: HashSecret(1, 2)))
        engine.advance(milliseconds: 0)
        let view = engine.settings.view
        engine.set(.dropEntry, to: 3)
        engine.set(.amDroprate, to: 5)
        engine.set(.dropPacket, to: 3)
        #expect(view.dropRate == 5 && view.entrySweeps == 0)
        for second in 1...3 {
            engine.advance(milliseconds: UInt64(second) * 1000)
            #expect(view.entrySweeps == Int32(second))
        }
        engine.set(.dropEntry, to: 0)
        engine.set(.dropPacket, to: 2)
        engine.advance(milliseconds: 4000)
        #expect(view.entrySweeps == 3 && engine.settings[.dropPacket] == 2, "128 are less than amemthresh")
        #expect(view.dropRate == 1024 / (1024 - 128))
        engine.set(.amemthresh, to: 100)
        #expect(engine.settings[.dropPacket] == 1 && view.dropRate == 0)
        withExtendedLifetime(engine) {}
    }
}
