import Kubernetes
import Testing

@Suite struct SyncScheduleTests {
    @Test func theFirstIsDueAtOnceAndThenOnceAPeriod() {
        var schedule = SyncSchedule(minimum: .seconds(5), period: .seconds(30))
        #expect(schedule.delay(at: .zero) == .zero)
        schedule.noteSync(at: .seconds(100))
        #expect(schedule.delay(at: .seconds(100)) == .seconds(30))
        #expect(schedule.delay(at: .seconds(129)) == .seconds(1))
        #expect(schedule.delay(at: .seconds(140)) == .zero)
    }

    @Test func afterAChangeAtMostOnceAMinimum() {
        var schedule = SyncSchedule(minimum: .seconds(5), period: .seconds(30))
        schedule.noteSync(at: .seconds(100))
        schedule.noteChange()
        #expect(schedule.delay(at: .seconds(102)) == .seconds(3))
        schedule.noteChange()
        #expect(schedule.delay(at: .seconds(104)) == .seconds(1))
        schedule.noteSync(at: .seconds(105))
        #expect(schedule.delay(at: .seconds(105)) == .seconds(30))
        schedule.noteChange()
        #expect(schedule.delay(at: .seconds(120)) == .zero)
    }

    @Test func withoutAMinimumAChangeIsDueAtOnce() {
        var schedule = SyncSchedule(minimum: .zero, period: .seconds(30))
        schedule.noteSync(at: .seconds(100))
        schedule.noteChange()
        #expect(schedule.delay(at: .seconds(100)) == .zero)
    }

    @Test func afterAFailureSoonerThanAPeriod() {
        var schedule = SyncSchedule(minimum: .seconds(1), period: .seconds(30))
        schedule.noteSync(at: .seconds(100))
        schedule.noteFailure()
        #expect(schedule.delay(at: .seconds(100)) == .seconds(5))
        schedule.noteSync(at: .seconds(105))
        #expect(schedule.delay(at: .seconds(105)) == .seconds(30))
        schedule.minimum = .seconds(10)
        schedule.noteFailure()
        #expect(schedule.delay(at: .seconds(105)) == .seconds(10))
    }
}
