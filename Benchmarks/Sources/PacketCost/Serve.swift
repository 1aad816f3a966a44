@preconcurrency import Glibc
import Traffic

/// Processor time of this thread: on a machine with other work a round is no longer for it.
private func processorNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Answer standard input, a round for each line, until it ends, so that somebody can have rounds of many processes in
/// turn. What the director holds is told first, as JSON, then in each round nanoseconds of processor time a packet.
func serve(_ traffic: Traffic, batches: Int) {
    setlinebuf(stdout)
    // So long that caches and what lives are as they will be.
    traffic.run(batches: max(batches, traffic.warmUp))
    print(
        "{\"director_bytes\": \(traffic.resident.director), \"connection_bytes\": \(traffic.resident.connections),",
        "\"process_bytes\": \(residentBytes())}")
    while readLine() != nil {
        func time(_ body: () -> Void) -> Double {
            let began = processorNanoseconds()
            body()
            return Double(processorNanoseconds() - began) / Double(batches * Traffic.batch)
        }
        let copy = time { traffic.copy(batches: batches) }
        let path = time { traffic.run(batches: batches) }
        let spread = traffic.spread()
        print(
            "{\"copy_ns\": \(copy), \"path_ns\": \(path), \"alive\": \(traffic.connections),",
            "\"opened\": \(spread.connections), \"services\": \(spread.services),",
            "\"destinations\": \(spread.destinations), \"received\": \(traffic.received)}")
    }
}
