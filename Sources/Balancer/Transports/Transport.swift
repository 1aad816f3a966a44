public import Wire

/// The transports that are balanced. The registry: listings and the packet path read it.
public enum Transport: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case tcp = 6
    case udp = 17
    case sctp = 132

    /// The transport of an IP protocol; nil for one that is not balanced.
    @inlinable @inline(__always)
    public init?(_ transportProtocol: UInt8) {
        switch transportProtocol {
        case 6: self = .tcp
        case 17: self = .udp
        case 132: self = .sctp
        default: return nil
        }
    }

    /// Bytes of header that must be there for the packet to be looked at.
    @inlinable @inline(__always)
    public var minimumHeader: Int {
        switch self {
        case .tcp: 20
        case .udp: 8
        case .sctp: 12
        }
    }

    /// The name of `state` in listings.
    public func name(of state: UInt8) -> String {
        switch self {
        case .tcp: TCPState(rawValue: state)?.name ?? "NONE"
        case .udp: UDPTracking.stateName
        case .sctp: SCTPState(rawValue: state)?.name ?? "NONE"
        }
    }

    /// Move an entry's state for a packet, restart its timer and the counts of its destination.
    ///
    /// The state changes by compare-exchange, so that of two workers one moves the count.
    @inlinable @inline(__always)
    public func advance(
        _ entry: ConnectionEntry, flags: TCPFlags, transport: PacketBytes, direction: FlowDirection,
        settings: SettingsView, slots: StateSlots, now: Tick
    ) -> StateChange {
        while true {
            let old = entry.stateWord
            let state = UInt8(truncatingIfNeeded: old)
            var noOutput = old & EntryFlags.noOutput.rawValue
            if direction == .reply { noOutput = 0 }
            let next: UInt8
            let active: Bool
            switch self {
            case .tcp:
                next = TCPTracking.next(
                    state, flags, direction, inputOnly: noOutput != 0, secure: settings[.secureTcp] >= 2)
                active = TCPTracking.isActive(next)
            case .udp:
                next = state
                active = false
            case .sctp:
                next = SCTPTracking.next(state, transport, direction, inputOnly: noOutput != 0)
                active = next == state ? old & EntryFlags.active.rawValue != 0 : SCTPTracking.isActive(next)
            }
            let keep = old & ~(0xff | EntryFlags.noOutput.rawValue | EntryFlags.active.rawValue)
            var counted = active ? EntryFlags.active.rawValue : 0
            // Who removed the entry takes it out of the count it is in: it stays there.
            if old & EntryFlags.removed.rawValue != 0 { counted = old & EntryFlags.active.rawValue }
            let new = keep | UInt32(next) | noOutput | counted
            if new != old {
                guard entry.exchangeState(old, new) else { continue }
                if (old ^ new) & EntryFlags.active.rawValue != 0 {
                    slots.destination(entry.destinationSlot).move(toActive: counted != 0)
                }
            }
            let timeout: Tick
            switch self {
            case .tcp:
                let own = slots.destination(entry.destinationSlot).tcpTimeout(next)
                timeout = own != 0 ? own : settings.tcpTimeout(next)
            case .udp:
                let own = slots.destination(entry.destinationSlot).udpTimeout
                timeout = own != 0 ? own : settings.udpTimeout
            case .sctp: timeout = settings.sctpTimeout(next)
            }
            entry.timeout = timeout
            entry.deadline = now &+ timeout
            return StateChange(old: state, new: next)
        }
    }

    /// Whether the change, or for UDP the packet, proves that both sides are there: the template is ASSURED then.
    @inlinable @inline(__always)
    public func assures(_ change: StateChange, _ direction: FlowDirection) -> Bool {
        switch self {
        case .tcp: change.new != change.old && change.new == 1
        case .udp: direction == .reply
        case .sctp: change.new != change.old && change.new == 8
        }
    }

    /// Whether an entry in `state` is finished, so that a packet that opens a connection is scheduled anew
    /// (`ip_vs_core.c`, `is_new_conn_expected`).
    @inlinable @inline(__always)
    public func isFinished(_ state: UInt8, flags: EntryFlags, reuseMode: Int32) -> Bool {
        switch self {
        case .tcp:
            state == 5 || state == 6 || (reuseMode & 2 != 0 && state == 4 && flags.contains(.noOutput))
        case .udp: false
        case .sctp: state == 13
        }
    }

    /// Whether a connection in `state` goes on: for UDP always.
    @inlinable
    public func isOpen(_ state: UInt8, flags: EntryFlags) -> Bool {
        switch self {
        case .tcp: TCPTracking.isActive(state) || state == 7 || (state == 4 && !flags.contains(.noOutput))
        case .udp: true
        case .sctp: state != 13 && state != 12
        }
    }

    /// Whether the packet opens a connection.
    @inlinable @inline(__always)
    public func opens(flags: TCPFlags, transport: PacketBytes) -> Bool {
        switch self {
        case .tcp: flags.rawValue & 2 != 0
        case .udp: false
        case .sctp: SCTPTracking.isStart(transport)
        }
    }
}

/// A state before and after a packet.
public struct StateChange: Sendable, BitwiseCopyable {
    /// Before.
    public let old: UInt8
    /// After.
    public let new: UInt8

    /// From both.
    @inlinable @inline(__always)
    public init(old: UInt8, new: UInt8) {
        self.old = old
        self.new = new
    }
}
