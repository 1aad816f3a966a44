import Balancer
import Wire

/// The making and ending of entries (`ip_vs_conn.c`).
extension Director {
    /// How the making of an entry ended.
    enum Making {
        /// It is in the table, or it is a one-packet entry.
        case made(ConnectionEntry)
        /// Another worker made one with the same key meanwhile: this one.
        case exists(ConnectionEntry)
        /// The table is full.
        case full
    }

    /// A new entry in the table, bound to its destination and to FULLNAT's local port.
    mutating func make(_ fields: EntryFields, timeout: Tick, binding: FullNATBinding? = nil) -> Making {
        if table.isNearlyFull { makeRoom() }
        guard let entry = table.make(fields, worker: worker, now: now) else { return .full }
        if let binding { entry.bind(binding) }
        entry.timeout = timeout
        entry.deadline = now &+ timeout
        let isOnePacket = fields.kind.contains(.onePacket)
        if !isOnePacket {
            switch table.insert(entry) {
            case .inserted: break
            case .exists(let other):
                expiry.discard(entry)
                return .exists(table.entry(other))
            case .full:
                expiry.discard(entry)
                return .full
            }
        }
        slots.destination(fields.destinationSlot).bind(
            isTemplate: fields.kind.contains(.template), isActive: fields.flags.contains(.active))
        if !isOnePacket { expiry.arm(entry) }
        return .made(entry)
    }

    /// Give up the embryonic entry that would end soonest. Its memory comes back a grace period later, so this begins
    /// while some entries are left: a flood of SYNs turns nobody away while it is embryonic entries that fill the table.
    private mutating func makeRoom() {
        guard let victim = expiry.soonestEmbryonic(most: 256) else { return }
        counters.countEvicted()
        end(victim)
    }

    /// A new entry in the table in the place of `replaced`, whose counts end when those of the new one have begun.
    mutating func makeInPlace(_ fields: EntryFields, timeout: Tick, binding: FullNATBinding?) -> Making {
        guard let old = replaced else { return make(fields, timeout: timeout, binding: binding) }
        replaced = nil
        let isOurs = table.remove(old)
        let made = make(fields, timeout: timeout, binding: binding)
        if isOurs {
            release(old)
            expiry.retire(old)
        }
        return made
    }

    /// End an entry now.
    mutating func end(_ entry: ConnectionEntry) {
        guard unbind(entry) else { return }
        expiry.retire(entry)
    }

    /// An entry's time is up. A template that still controls entries lives on for 60 s, again and again; without
    /// `persistent_rearm` no client finds it any more.
    mutating func expire(_ entry: ConnectionEntry) {
        if entry.controlled != 0 {
            if settings[.persistentRearm] == 0, entry.kind.contains(.template) { table.rename(entry) }
            entry.timeout = Ticks.seconds(60)
            entry.deadline = now &+ entry.timeout
            expiry.keep(entry)
            return
        }
        if unbind(entry) { expiry.discard(entry) }
    }

    /// Take an entry out of the table, its template's and its destination's counts, and give its local port back. False:
    /// somebody else did.
    private mutating func unbind(_ entry: ConnectionEntry) -> Bool {
        guard table.remove(entry) else { return false }
        release(entry)
        return true
    }

    /// What an entry that was taken out of the table holds: its local port, its template, its destination's counts.
    @inline(__always)
    private func release(_ entry: ConnectionEntry) {
        if entry.localPort != 0 { giveBack(entry.localEndpoint, transportProtocol: entry.transportProtocol) }
        if let control = entry.control { table.release(control: control, of: entry) }
        slots.destination(entry.destinationSlot).unbind(
            isTemplate: entry.kind.contains(.template), isActive: entry.flags.contains(.active))
    }

    /// End a one-packet entry, which was never in the table.
    mutating func finishOnePacket(_ entry: ConnectionEntry) {
        slots.destination(entry.destinationSlot).unbind(isTemplate: false, isActive: false)
        if let control = entry.control { table.release(control: control, of: entry) }
        expiry.discard(entry)
    }

    /// With `expire_nodest_conn`, entries of deleted destinations end in the background, as do those of drained ones; some
    /// with each batch.
    mutating func flushDestinations() {
        let wanted = engine.flushCount
        if wanted != flushesDone {
            flushesDone = wanted
            flushCursor = 0
            flushEnd = table.usedEntries
        }
        let stop = min(flushEnd, flushCursor &+ 256)
        while flushCursor < stop {
            let entry = table.entry(flushCursor)
            let flags = entry.flags
            if flags.contains(.hashed), !flags.contains(.removed), entry.isOwned(by: worker), entry.controlled == 0,
                !settle(entry, slots.destination(entry.destinationSlot))
            {
                return
            }
            flushCursor &+= 1
        }
    }
}
