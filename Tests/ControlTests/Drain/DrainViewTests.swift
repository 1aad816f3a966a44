import Testing

@testable import Control

@Suite struct DrainViewTests {
    private func reply(_ phase: String, first: Int = 3, open: Int = 0, cut: Int = 0, silent: Int = 0) -> DrainReply {
        var reply = DrainReply(error: "")
        reply.error = nil
        (reply.phase, reply.first, reply.open, reply.cut, reply.silent) = (phase, first, open, cut, silent)
        (reply.then, reply.remainingSeconds) = ("reset", 12.2)
        return reply
    }

    @Test func saysHowItStands() {
        #expect(DrainView.line(reply("waiting", open: 2)) == "2 connections of 3 open, 13 s to the deadline")
        #expect(DrainView.line(reply("waiting", open: 1)) == "1 connection of 3 open, 13 s to the deadline")
        #expect(DrainView.line(reply("cutting", open: 2)) == "deadline: 2 connections being ended (reset)")
        #expect(DrainView.line(reply("cancelled")).hasPrefix("cancelled"))
        #expect(DrainView.line(reply("done", first: 0)) == "drained: no connection was open")
        #expect(DrainView.line(reply("done", first: 1)) == "drained: the one connection ended by itself")
        #expect(DrainView.line(reply("done")) == "drained: all 3 connections ended by themselves")
        #expect(
            DrainView.line(reply("done", cut: 2, silent: 1))
                == "drained: 2 of 3 connections were ended at the deadline, 1 by reset, 1 without a word")
        var reassigned = reply("done", cut: 2)
        reassigned.then = "reassign"
        #expect(DrainView.line(reassigned) == "drained: 2 of 3 connections were ended at the deadline")
    }

    @Test func listsTheHoldouts() {
        var holding = reply("waiting", open: 3)
        holding.holdouts = [
            DrainReply.Holdout(
                transport: "TCP", client: "198.51.100.1:40000", state: "ESTABLISHED", ageSeconds: 187, bytes: 1_250_000),
            DrainReply.Holdout(transport: "UDP", client: "198.51.100.2:5", state: "UDP", ageSeconds: 5, bytes: 64),
        ]
        #expect(
            DrainView.table(holding) == [
                "3 connections of 3 open, 13 s to the deadline",
                "Prot Client                       State       Age      Bytes",
                "TCP  198.51.100.1:40000           ESTABLISHED 3 min 07 s 1.3 MB",
                "UDP  198.51.100.2:5               UDP         5 s      64 B", "and 1 more",
            ])
    }

    @Test(arguments: [
        (0.0, "0 s"), (0.1, "1 s"), (59, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (3660, "1 h 01 min"),
    ])
    func writesDurations(seconds: Double, text: String) { #expect(DrainView.duration(seconds) == text) }

    @Test(arguments: [
        (UInt64(0), "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_999, "1.0 MB"),
        (5_600_000_000, "5.6 GB"), (.max, "18446744.1 TB"),
    ])
    func writesSizes(bytes: UInt64, text: String) { #expect(DrainView.size(bytes) == text) }

    @Test(arguments: [
        ("30", 30.0), ("30s", 30), ("500ms", 0.5), ("5m", 300), ("2min", 120), ("2h", 7200), ("0", 0),
    ])
    func readsTimes(text: String, seconds: Double) { #expect(DrainView.seconds(text) == seconds) }

    @Test(arguments: ["", "s", "-1", "1.5s", "3 s", "3d", "9999999999", "٣s"])
    func refusesOtherTimes(text: String) { #expect(DrainView.seconds(text) == nil) }
}
