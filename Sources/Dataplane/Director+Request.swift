import Balancer
import Wire

/// A client's packet: its entry, or a new one, then the way to the real server (`ip_vs_core.c`, `ip_vs_in_hook`).
extension Director {
    @inline(__always)
    mutating func request(
        _ frame: inout Frame, _ packet: PacketDescription, _ found: ConnectionEntry?, _ transport: Transport
    ) {
        var entry = found
        if let old = entry, isScheduledAnew(old, frame, packet, transport) {
            return scheduleAnew(&frame, packet, transport, old)
        }
        if let old = entry, !slots.destination(old.destinationSlot).isServing {
            if slots.destination(old.destinationSlot).isAvailable {
                return cutRequest(&frame, packet, old, transport)
            }
            guard settings[.expireNodestConn] != 0 else {
                note(.entry(old, .request))
                return drop(.destinationGone)
            }
            end(old)
            entry = nil
        }
        if let entry {
            note(.entry(entry, .request))
            return carry(&frame, packet, entry, transport)
        }
        schedule(&frame, packet, transport)
    }

    /// Schedule a packet whose entry is finished. As in the kernel, where the old entry's timer ends it a moment later, it
    /// still counts at its real server while the scheduler looks, and until the new one is bound.
    @inline(never)
    private mutating func scheduleAnew(
        _ frame: inout Frame, _ packet: PacketDescription, _ transport: Transport, _ old: ConnectionEntry
    ) {
        if old.controlled == 0 { replaced = old }
        schedule(&frame, packet, transport)
        guard let old = replaced else { return }
        // Nothing took its place.
        replaced = nil
        end(old)
    }

    /// Count a client's packet, move the state, and send it to the entry's real server.
    @inline(__always)
    mutating func carry(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport
    ) {
        countIn(entry, packet)
        advance(entry, frame, packet, transport, .request)
        entry.count(length: packet.networkLength, isRequest: true)
        forward(&frame, packet, entry)
    }

    /// Count a client's packet at its service and destination, while the rules name the destination
    /// (`ip_vs_core.c`, `ip_vs_in_stats`).
    @inline(__always)
    func countIn(_ entry: ConnectionEntry, _ packet: PacketDescription) {
        let destination = slots.destination(entry.destinationSlot)
        guard destination.isAvailable else { return }
        serviceRow.countIn(destination.serviceSlot, bytes: packet.networkLength)
        destinationRow.countIn(entry.destinationSlot, bytes: packet.networkLength)
    }

    /// Count a server's packet of `length` bytes, network header included, likewise (`ip_vs_out_stats`).
    @inline(__always)
    func countOut(_ entry: ConnectionEntry, length: Int) {
        let destination = slots.destination(entry.destinationSlot)
        guard destination.isAvailable else { return }
        serviceRow.countOut(destination.serviceSlot, bytes: length)
        destinationRow.countOut(entry.destinationSlot, bytes: length)
    }

    /// Move an entry's state and timer for a packet.
    @inline(__always)
    mutating func advance(
        _ entry: ConnectionEntry, _ frame: Frame, _ packet: PacketDescription, _ transport: Transport,
        _ direction: FlowDirection
    ) {
        let change = transport.advance(
            entry, flags: packet.flags, transport: frame.bytes.dropping(packet.transportOffset), direction: direction,
            settings: settings, slots: slots, now: now)
        if transport.assures(change, direction), let control = entry.control {
            let template = table.entry(control)
            if template.kind.contains(.template) { template.assure() }
        }
        expiry.deadlineChanged(entry)
        note(.state(change, transport, entry))
    }

    /// Whether a packet that opens a connection finds an entry that is finished, or whose real server is being drained.
    @inline(__always)
    private func isScheduledAnew(
        _ entry: ConnectionEntry, _ frame: Frame, _ packet: PacketDescription, _ transport: Transport
    ) -> Bool {
        guard !packet.isFragment,
            transport.opens(flags: packet.flags, transport: frame.bytes.dropping(packet.transportOffset))
        else { return false }
        let destination = slots.destination(entry.destinationSlot)
        if settings[.expireNodestConn] != 0, destination.weight == 0 { return true }
        // A SYN again of a handshake that goes on, while the real server may have answered, is none of these.
        if destination.flags.contains(.draining), !entry.isEmbryonic { return true }
        // One under a template stays with it (`ip_vs_core.c`, `is_new_conn_expected`).
        guard entry.control == nil else { return false }
        let mode = settings[.connReuseMode]
        return mode != 0 && transport.isFinished(entry.state, flags: entry.flags, reuseMode: mode)
    }
}
