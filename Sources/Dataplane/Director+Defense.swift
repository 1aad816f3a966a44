import Balancer
import Wire

/// How far a director is with what the defences against overload ask of it.
struct DefenseProgress {
    /// New connections until one is turned away.
    var untilDrop: Int32 = 0
    var restarts: Int32 = 0
    var sweeps: Int32 = 0
    /// Entries of the sweep at hand that are still to be looked at.
    var entriesLeft: UInt32 = 0
    /// For connections with one to eight packets of their client: how many are left until one is ended.
    var untilEnd = InlineArray<8, UInt8>(repeating: 0)
}

/// The defences against overload: what is turned away and what is ended. When, `Balancer/Settings/Defense.swift` decides.
extension Director {
    /// Whether a new connection is turned away: by `drop_packet`, or by the service's limit for its source.
    @inline(__always)
    mutating func isTurnedAway(_ key: FlowKey, _ record: ServiceRecord) -> Bool {
        if settings.dropRate != 0, isDroppedByRate() { return true }
        guard record.sourceLimit.interval != 0 else { return false }
        return !sourceRates.admit(key.source, service: record.slot, record.sourceLimit, now: now)
    }

    /// One in `dropRate` (`include/net/ip_vs.h`, `ip_vs_todrop`). Each worker counts by itself.
    private mutating func isDroppedByRate() -> Bool {
        let rate = settings.dropRate
        let restarts = settings.dropRestarts
        if restarts != defense.restarts {
            defense.restarts = restarts
            defense.untilDrop = rate
        }
        defense.untilDrop &-= 1
        guard defense.untilDrop <= 0 else { return false }
        defense.untilDrop = rate
        return true
    }

    /// With `drop_entry` in force, each second as many entries as are one in 32 of the table are drawn at random, and those
    /// that may go are ended (`ip_vs_conn.c`, `ip_vs_random_dropentry`, which draws buckets). Some with each batch.
    mutating func dropEntries() {
        let sweeps = settings.entrySweeps
        if sweeps != defense.sweeps {
            defense.sweeps = sweeps
            defense.entriesLeft = (table.usedEntries &+ 31) / 32
        }
        guard defense.entriesLeft > 0 else { return }
        let count = min(defense.entriesLeft, 256)
        defense.entriesLeft &-= count
        let used = UInt64(table.usedEntries)
        for _ in 0..<count {
            let entry = table.entry(UInt32(truncatingIfNeeded: (nextRandom() >> 32 &* used) >> 32))
            let flags = entry.flags
            // Each worker draws among all entries and ends its own, so that each entry has the same chance.
            guard flags.contains(.hashed), !flags.contains(.removed), entry.isOwned(by: worker),
                entry.controlled == 0, mayGo(entry)
            else { continue }
            let control = entry.control
            end(entry)
            counters.countEvicted()
            // A template that was never answered goes with its last connection.
            guard let control else { continue }
            let template = table.entry(control)
            if template.controlled == 0, template.state == 0 { end(template) }
        }
    }

    /// Embryonic connections go at once, as do templates of which no connection was answered; others as `isIdle` says,
    /// connections that are being closed never. Templates of one-packet services count among the unanswered.
    private mutating func mayGo(_ entry: ConnectionEntry) -> Bool {
        if entry.kind.contains(.template) { return entry.state == 0 }
        switch Transport(entry.transportProtocol) {
        case .tcp:
            switch entry.state {
            case TCPState.synReceived.rawValue, TCPState.synAck.rawValue: return true
            case TCPState.established.rawValue: return isIdle(entry)
            default: return false
            }
        case .sctp:
            switch entry.state {
            case SCTPState.initOne.rawValue, SCTPState.initTwo.rawValue: return true
            case SCTPState.established.rawValue: return isIdle(entry)
            default: return false
            }
        case .udp, nil: return isIdle(entry)
        }
    }

    /// Of connections silent for 60 s whose client sent n packets, n being 1 to 8, one in n goes
    /// (`ip_vs_conn.c`, `todrop_entry`).
    private mutating func isIdle(_ entry: ConnectionEntry) -> Bool {
        let silent = now &+ entry.timeout &- entry.deadline
        guard Int32(bitPattern: silent) >= Int32(bitPattern: Ticks.seconds(60)) else { return false }
        let packets = entry.requestPackets
        guard packets >= 1, packets <= 8 else { return false }
        let place = Int(packets) &- 1
        let left = defense.untilEnd[place]
        guard left <= 1 else {
            defense.untilEnd[place] = left &- 1
            return false
        }
        defense.untilEnd[place] = UInt8(truncatingIfNeeded: packets)
        return true
    }
}
