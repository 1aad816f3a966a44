import Testing

@testable import Kubernetes

@Suite struct GoDurationTests {
    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("30s", .seconds(30)), ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)),
        ("250ms", .milliseconds(250)), ("-1s", .seconds(-1)), ("+2s", .seconds(2)), (".5s", .milliseconds(500)),
        ("1.s", .seconds(1)), ("100ns", .nanoseconds(100)), ("3us", .microseconds(3)), ("3µs", .microseconds(3)),
        ("744h", .seconds(2_678_400)),
    ])
    func durations(text: String, duration: Duration) {
        #expect(GoDuration.parse(text) == duration)
    }

    @Test(arguments: ["", "s", "5", "30 s", "30S", "1d", "1.2.3s", "--1s", "1s2", ".s", "999999999999h", "٣s"])
    func noDurations(text: String) {
        #expect(GoDuration.parse(text) == nil)
    }
}
