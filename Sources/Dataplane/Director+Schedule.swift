import Balancer
import Wire

/// A packet without an entry: its service, a destination, a new entry (`ip_vs_core.c`, `ip_vs_schedule`).
extension Director {
    /// Source port of active FTP's data connections, which are never scheduled.
    private static var ftpData: UInt16 { 20 }

    /// What an ICMP error that opens a connection is and quotes.
    struct OpeningError {
        var packet: PacketDescription
        var quoted: QuotedPacket
    }

    /// With `schedule_icmp` an ICMP error about a connection that is not there opens one, and goes to its real server
    /// (`ip_vs_core.c`, `ip_vs_in_icmp`).
    mutating func schedule(_ frame: inout Frame, _ error: PacketDescription, _ quoted: QuotedPacket) {
        guard let transport = Transport(quoted.key.transportProtocol) else { return pass(frame) }
        var opening = error
        opening.key = quoted.key.reversed
        schedule(&frame, opening, transport, by: OpeningError(packet: error, quoted: quoted))
    }

    @inline(never)
    mutating func schedule(
        _ frame: inout Frame, _ packet: PacketDescription, _ transport: Transport, by error: OpeningError? = nil
    ) {
        let key = packet.key
        if transport == .sctp, error == nil, packet.transportLength < SCTPTracking.leastLength {
            return drop(.truncated)
        }
        guard
            let service = services.find(
                transportProtocol: key.transportProtocol, address: key.destination, port: key.destinationPort,
                mark: packet.mark)
        else {
            note(.noService)
            return pass(frame)
        }
        note(.service(service.record))
        guard error != nil || mayOpen(frame, packet, transport) else { return pass(frame) }
        let record = service.record
        if isTurnedAway(key, record) { return drop(.overload) }
        guard key.sourcePort != Self.ftpData else { return pass(frame) }
        if record.isPersistent {
            return schedulePersistent(&frame, packet, transport, service, by: error)
        }
        guard record.mark != 0 || record.port == key.destinationPort else { return pass(frame) }
        guard let place = pick(service, key) else {
            return refuseForLackOfDestination(&frame, error?.packet ?? packet)
        }
        let destination = record.destination(place)
        let port = destination.port != 0 ? destination.port : key.destinationPort
        guard let (entry, isNew) = makeEntry(frame, packet, record, destination, port: port) else { return }
        guard isNew else { return open(&frame, packet, entry, transport, by: error) }
        begin(&frame, packet, entry, record, transport, by: error)
    }

    /// The scheduler's choice.
    private mutating func pick(_ service: ServiceReference, _ key: FlowKey) -> Int? {
        var request = ScheduleRequest(
            client: key.source, clientPort: key.sourcePort, virtual: key.destination, now: now, random: nextRandom())
        switch service.record.scheduler {
        case .lblc: request.localityLife = Self.life(settings[.lblcExpiration])
        case .lblcr: request.localityLife = Self.life(settings[.lblcrExpiration])
        default: break
        }
        let place = service.record.scheduler.schedule(service, request, slots)
        let slots = slots
        note(.scheduled(service.record, place, slots))
        return place
    }

    /// Seconds as ticks, as many as half of the clock's range at most.
    private static func life(_ seconds: Int32) -> Tick {
        Tick(truncatingIfNeeded: min(UInt64(max(seconds, 0)) &* UInt64(Ticks.perSecond), UInt64(Tick.max / 2)))
    }

    /// Whether the packet may open a connection: TCP needs SYN and no RST, SCTP INIT, unless the settings are sloppy.
    private func mayOpen(_ frame: Frame, _ packet: PacketDescription, _ transport: Transport) -> Bool {
        switch transport {
        case .tcp:
            return (packet.flags.contains(.syn) || settings[.sloppyTcp] != 0) && !packet.flags.contains(.rst)
        case .udp:
            return true
        case .sctp:
            let chunks = frame.bytes.dropping(packet.transportOffset)
            return SCTPTracking.isStart(chunks) || settings[.sloppySctp] != 0 && !SCTPTracking.isAbort(chunks)
        }
    }

    /// A new entry for a packet, or the one that another worker made of its kind meanwhile; nil when it cannot be, and the
    /// packet was dropped.
    ///
    /// A NAT destination is reached by FULLNAT where the service masquerades the client, and from the host itself, whose
    /// stack would take replies to one of its addresses for its own; so is one that is the director itself where there is
    /// a device for that (`Engine.reachHost`), since its stack would answer the client past us. Without, one of FULLNAT is
    /// reached as with NAT: nobody else would send its replies. FULLNAT needs its entry for the replies, so that one-packet
    /// scheduling does not apply.
    private mutating func makeEntry(
        _ frame: Frame, _ packet: PacketDescription, _ record: ServiceRecord, _ destination: DestinationRecord,
        port: UInt16
    ) -> (entry: ConnectionEntry, isNew: Bool)? {
        let key = packet.key
        let server = DestinationKey(address: destination.address, port: port)
        var method = destination.method
        var binding: FullNATBinding?
        if method == .masquerading, isOfHost(frame) || record.masquerades(key.source, to: destination.address) {
            method = .fullNAT
        }
        let ownServerPool = services.ownServerPool
        let mayBeOwn = method == .fullNAT || method == .masquerading && ownServerPool != nil
        let isOwn = mayBeOwn && routing.isLocal(destination.address)
        if isOwn, ownServerPool != nil {
            method = .fullNAT
        } else if isOwn, destination.address.isV4 == packet.isV4 {
            method = .masquerading
        }
        if method == .fullNAT {
            let listed = record.localPool ?? (isOfHost(frame) ? services.hostPool : nil)
            binding = bindLocal((isOwn ? ownServerPool : nil) ?? listed, frame, packet, record, server)
            guard binding != nil else {
                drop(.noLocalPort)
                return nil
            }
        }
        var kind = EntryKind.none
        if record.isOnePacket, key.transportProtocol == IPProtocol.udp, binding == nil { kind.insert(.onePacket) }
        let fields = EntryFields(
            kind: kind, transportProtocol: key.transportProtocol, method: method,
            client: DestinationKey(address: key.source, port: key.sourcePort),
            virtual: DestinationKey(address: key.destination, port: key.destinationPort), destination: server,
            destinationSlot: destination.slot, serviceSlot: record.slot, state: 0,
            flags: method == .masquerading || method == .fullNAT ? .none : .noOutput)
        let made = makeInPlace(fields, timeout: Ticks.seconds(3), binding: binding)
        if case .made(let entry) = made { return (entry, true) }
        if let binding { giveBack(binding.local, transportProtocol: key.transportProtocol) }
        if case .exists(let other) = made { return (other, false) }
        drop(.tableFull)
        return nil
    }

    /// Count a new connection and carry its first packet.
    private mutating func begin(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ record: ServiceRecord,
        _ transport: Transport, by error: OpeningError?
    ) {
        serviceRow.countConnection(record.slot)
        destinationRow.countConnection(entry.destinationSlot)
        note(.made(entry))
        open(&frame, packet, entry, transport, by: error)
        if entry.kind.contains(.onePacket) { finishOnePacket(entry) }
    }

    /// Carry the packet that an entry was made for, or the error that quotes it.
    private mutating func open(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ transport: Transport,
        by error: OpeningError?
    ) {
        if let error {
            icmpRequest(&frame, error.packet, error.quoted, entry)
        } else {
            carry(&frame, packet, entry, transport)
        }
    }

    /// No usable destination: the client gets ICMP port unreachable, for TCP too.
    private mutating func refuseForLackOfDestination(_ frame: inout Frame, _ packet: PacketDescription) {
        refuse(&frame, packet, .portUnreachable, .noDestination)
    }

    // MARK: Persistence (`ip_vs_core.c`, `ip_vs_sched_persist`)

    private mutating func schedulePersistent(
        _ frame: inout Frame, _ packet: PacketDescription, _ transport: Transport, _ service: ServiceReference,
        by error: OpeningError?
    ) {
        let record = service.record
        let key = packet.key
        let isServicePort = record.mark == 0 && key.destinationPort == record.port
        let templateKey = FlowKey(
            source: key.source.masked(Int(record.prefixLength)),
            destination: record.mark == 0 ? key.destination : Self.address(ofMark: record.mark, isV4: packet.isV4),
            sourcePort: 0, destinationPort: isServicePort ? key.destinationPort : 0,
            transportProtocol: record.mark == 0 ? key.transportProtocol : IPProtocol.hopByHop, isTemplate: true)
        let destination: DestinationRecord
        let template: ConnectionEntry
        if let old = usableTemplate(templateKey), let place = record.place(of: old.destinationSlot, slots) {
            destination = record.destination(place)
            template = old
            note(.template(old))
        } else {
            guard let place = pick(service, key) else {
                return refuseForLackOfDestination(&frame, error?.packet ?? packet)
            }
            destination = record.destination(place)
            switch makeTemplate(templateKey, record, destination, port: isServicePort ? destination.port : 0) {
            case .made(let entry), .exists(let entry): template = entry
            case .full: return drop(.tableFull)
            }
        }
        let keepsPort = key.destinationPort != record.port || record.mark != 0 || destination.port == 0
        let port = keepsPort ? key.destinationPort : destination.port
        guard let (entry, isNew) = makeEntry(frame, packet, record, destination, port: port) else { return }
        guard isNew else { return open(&frame, packet, entry, transport, by: error) }
        entry.control(by: template)
        template.deadline = now &+ template.timeout
        expiry.deadlineChanged(template)
        begin(&frame, packet, entry, record, transport, by: error)
    }

    /// The template of this key, if it still leads somewhere; one that does not is taken out of the way.
    private mutating func usableTemplate(_ key: FlowKey) -> ConnectionEntry? {
        guard let template = table.findRequest(key) else { return nil }
        if isValid(template) { return template }
        retireTemplate(template)
        return nil
    }

    private mutating func makeTemplate(
        _ key: FlowKey, _ record: ServiceRecord, _ destination: DestinationRecord, port: UInt16
    ) -> Making {
        make(
            EntryFields(
                kind: .template, transportProtocol: key.transportProtocol, method: destination.method,
                client: DestinationKey(address: key.source, port: 0),
                virtual: DestinationKey(address: key.destination, port: key.destinationPort),
                destination: DestinationKey(address: destination.address, port: port),
                destinationSlot: destination.slot, serviceSlot: record.slot, state: 0, flags: .none),
            timeout: Ticks.seconds(record.persistenceTimeout))
    }

    /// A fwmark service's templates have the mark as their virtual address.
    private static func address(ofMark mark: UInt32, isV4: Bool) -> IPAddress {
        isV4 ? IPAddress(v4: mark) : IPAddress(high: UInt64(mark) << 32, low: 0)
    }

    /// Whether a template still leads somewhere (`ip_vs_conn.c`, `ip_vs_check_template`).
    private func isValid(_ template: ConnectionEntry) -> Bool {
        let state = slots.destination(template.destinationSlot)
        guard state.isAvailable, !state.flags.contains(.draining) else { return false }
        return settings[.expireQuiescentTemplate] == 0 || state.weight != 0
    }

    /// Take a template out of the clients' way: it lingers under ports that no client has.
    private mutating func retireTemplate(_ template: ConnectionEntry) {
        table.rename(template)
    }
}
