import Wire

/// rendezvous, beyond the kernel: each client has a score with each destination, and the highest wins (Thaler,
/// Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998), weighted by the logarithm method
/// (Schindelhauer, Schomaker, "Weighted Distributed Hash Tables", 2005).
///
/// Scores depend on nothing but addresses, ports and weights: directors with the same rules agree without talking. A
/// destination that goes away or is full moves its own clients only; a changed weight moves only what it must. The
/// table holds each destination's 64-bit hash, high half first. A pick looks at every destination.
enum RendezvousHashing: Scheduler {
    static var title: String { "Rendezvous hashing" }
    static var summary: String {
        "by the highest score of client and server (flag-2: with the client's port): only a lost server's clients move"
    }
    static var isBeyondKernel: Bool { true }
    static var flags: SchedulerFlags { .port }

    static func schedule(_ service: ServiceReference, _ request: ScheduleRequest, _ slots: StateSlots) -> Int? {
        let record = service.record
        let client = Mixing.client(request, SchedulerFlags(rawValue: record.schedulerFlags))
        var best: Int?
        var bestScore = RendezvousScore(hash: 0, weight: 0)
        for place in 0..<record.count {
            let destination = slots.destination(record.destination(place).slot)
            guard destination.isUsable else { continue }
            let own = UInt64(record.tableValue(place &* 2)) << 32 | UInt64(record.tableValue(place &* 2 &+ 1))
            let score = RendezvousScore(hash: Mixing.mix(client ^ own), weight: destination.weight)
            if best == nil || score.beats(bestScore) {
                best = place
                bestScore = score
            }
        }
        return best
    }

    static func table(_ service: ServiceDestinations) -> [UInt32] {
        service.records.flatMap { record in
            let hash = Mixing.hash(record.address, record.port)
            return [UInt32(truncatingIfNeeded: hash >> 32), UInt32(truncatingIfNeeded: hash)]
        }
    }
}

/// A destination's score with a client: weight / -ln(u), u being the hash as a number in (0, 1).
struct RendezvousScore {
    var hash: UInt64
    var weight: Int32

    /// Whether it is the higher one. With equal weights the hashes decide, without a logarithm.
    func beats(_ other: RendezvousScore) -> Bool {
        if weight == other.weight { return hash > other.hash }
        return Double(weight) * other.negativeLogarithm > Double(other.weight) * negativeLogarithm
    }

    /// -ln(u). Made of IEEE 754 additions, products and one quotient, so that every machine gives the same bits; off by
    /// less than 1e-14.
    var negativeLogarithm: Double {
        let uniform = (Double(hash >> 12) + 0.5) * 0x1p-52
        let bits = uniform.bitPattern
        var exponent = Double(Int64(bits >> 52) &- 1023)
        var mantissa = Double(bitPattern: bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000)
        if mantissa > 1.414_213_562_373_095_1 {
            mantissa *= 0.5
            exponent += 1
        }
        // ln m = 2 artanh((m - 1) / (m + 1)); the ratio is at most 0.172 here.
        let ratio = (mantissa - 1) / (mantissa + 1)
        let square = ratio * ratio
        var series = 1.0 / 17
        series = series * square + 1.0 / 15
        series = series * square + 1.0 / 13
        series = series * square + 1.0 / 11
        series = series * square + 1.0 / 9
        series = series * square + 1.0 / 7
        series = series * square + 1.0 / 5
        series = series * square + 1.0 / 3
        series = series * square + 1
        return -(exponent * 0.693_147_180_559_945_3 + 2 * ratio * series)
    }
}
