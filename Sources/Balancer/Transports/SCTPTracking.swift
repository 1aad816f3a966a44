public import Wire

/// The SCTP states of a connection entry, as the kernel numbers them (`IP_VS_SCTP_S_*`).
public enum SCTPState: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case none, initOne, initTwo, cookieSent, cookieReplied, cookieWait, cookie, cookieEchoed, established, shutdownSent
    case shutdownReceived, shutdownAckSent, rejected, closed

    /// The name in listings.
    public var name: String {
        switch self {
        case .none: "NONE"
        case .initOne: "INIT1"
        case .initTwo: "INIT"
        case .cookieSent: "C-SENT"
        case .cookieReplied: "C-REPLIED"
        case .cookieWait: "C-WAIT"
        case .cookie: "COOKIE"
        case .cookieEchoed: "C-ECHOED"
        case .established: "ESTABLISHED"
        case .shutdownSent: "S-SENT"
        case .shutdownReceived: "S-RECEIVED"
        case .shutdownAckSent: "S-ACK-SENT"
        case .rejected: "REJECTED"
        case .closed: "CLOSED"
        }
    }

    /// Seconds an entry lives in this state after its last packet (`ip_vs_proto_sctp.c`, `sctp_timeouts`).
    public var defaultTimeout: UInt32 {
        switch self {
        case .none: 2
        case .initOne, .rejected: 4
        case .established: 900
        default: 61
        }
    }
}

/// SCTP as IPVS follows it: the first chunk moves the state by table (`net/netfilter/ipvs/ip_vs_proto_sctp.c`).
public enum SCTPTracking {
    @usableFromInline static var no: UInt8 { 0 }
    @usableFromInline static var i1: UInt8 { 1 }
    @usableFromInline static var ii: UInt8 { 2 }
    @usableFromInline static var cs: UInt8 { 3 }
    @usableFromInline static var cr: UInt8 { 4 }
    @usableFromInline static var cw: UInt8 { 5 }
    @usableFromInline static var co: UInt8 { 6 }
    @usableFromInline static var ce: UInt8 { 7 }
    @usableFromInline static var es: UInt8 { 8 }
    @usableFromInline static var ss: UInt8 { 9 }
    @usableFromInline static var sr: UInt8 { 10 }
    @usableFromInline static var sa: UInt8 { 11 }
    @usableFromInline static var rj: UInt8 { 12 }
    @usableFromInline static var cl: UInt8 { 13 }

    /// What a packet means to the state.
    @usableFromInline
    enum Event {
        case data, start, startAck, cookieEcho, cookieAck, shutdown, shutdownAck, shutdownComplete, error, abort
    }

    /// Whether entries in `state` count as active.
    @inlinable @inline(__always)
    public static func isActive(_ state: UInt8) -> Bool { state == 8 }

    /// Type of the INIT chunk (RFC 9260 §3.3.2).
    @usableFromInline static var initChunk: UInt8 { 1 }
    @usableFromInline static var abortChunk: UInt8 { 6 }

    /// Bytes of the SCTP header and the first chunk's, without which nothing is opened.
    @inlinable public static var leastLength: Int { 16 }

    /// Whether the packet opens an association. `transport` begins at the SCTP header.
    @inlinable
    public static func isStart(_ transport: PacketBytes) -> Bool {
        transport.count >= 16 && transport[12] == initChunk
    }

    /// Whether the first chunk aborts the association.
    @inlinable
    public static func isAbort(_ transport: PacketBytes) -> Bool {
        transport.count >= 16 && transport[12] == abortChunk
    }

    /// The event of a packet: its first chunk's, or ABORT where it follows COOKIE ECHO or COOKIE ACK; nil without a chunk.
    @usableFromInline
    #if !DEBUG
        @_noAllocation@_noLocks
    #endif
    static func event(_ transport: PacketBytes) -> Event? {
        guard transport.count >= 16 else { return nil }
        var type = transport[12]
        if type == 10 || type == 11 {
            let length = Int(transport.load(14, as: UInt16.self))
            let next = 12 &+ (length &+ 3) / 4 &* 4
            if length >= 4, next &+ 4 <= transport.count, transport[next] == abortChunk { type = abortChunk }
        }
        switch type {
        case 1: return .start
        case 2: return .startAck
        case 6: return .abort
        case 7: return .shutdown
        case 8: return .shutdownAck
        case 9: return .error
        case 10: return .cookieEcho
        case 11: return .cookieAck
        case 14: return .shutdownComplete
        default: return .data
        }
    }

    /// The state after a packet.
    @inlinable
    public static func next(
        _ state: UInt8, _ transport: PacketBytes, _ direction: FlowDirection, inputOnly: Bool
    ) -> UInt8 {
        guard let event = event(transport) else { return state }
        if direction == .reply { return output(event).next(state) }
        return (inputOnly ? onlyInput(event) : input(event)).next(state)
    }

    // Columns: NONE, INIT1, INIT, C-SENT, C-REPLIED, C-WAIT, COOKIE, C-ECHOED, ESTABLISHED, S-SENT, S-RECEIVED,
    // S-ACK-SENT, REJECTED, CLOSED.

    @usableFromInline
    #if !DEBUG
        @_noAllocation@_noLocks
    #endif
    static func input(_ event: Event) -> StateRow {
        switch event {
        case .data: StateRow(es, i1, ii, cs, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .start: StateRow(i1, ii, ii, cs, cr, cw, co, ce, es, ss, sr, sa, ii, ii)
        case .startAck: StateRow(cw, cw, cw, cs, cr, co, co, ce, es, ss, sr, sa, rj, cl)
        case .cookieEcho: StateRow(cr, ii, ii, cr, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .cookieAck: StateRow(es, i1, ii, cs, cr, cw, co, es, es, ss, sr, sa, rj, cl)
        case .shutdown: StateRow(sr, i1, ii, cs, cr, cw, co, ce, sr, ss, sr, sa, rj, cl)
        case .shutdownAck: StateRow(cl, ii, ii, cs, cr, cw, co, ce, es, cl, sr, cl, rj, cl)
        case .shutdownComplete: StateRow(cl, cl, cl, cs, cr, cw, co, ce, es, ss, sr, cl, rj, cl)
        case .error: StateRow(cl, i1, ii, cs, cr, cw, co, cl, es, ss, sr, sa, rj, cl)
        case .abort: StateRow(cl, cl, cl, cl, cl, rj, cl, cl, cl, cl, cl, cl, cl, cl)
        }
    }

    @usableFromInline
    #if !DEBUG
        @_noAllocation@_noLocks
    #endif
    static func output(_ event: Event) -> StateRow {
        switch event {
        case .data: StateRow(es, i1, ii, cs, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .start: StateRow(cw, cw, cw, cw, cw, cw, cw, cw, es, cw, cw, cw, cw, cw)
        case .startAck: StateRow(cs, cs, cs, cs, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .cookieEcho: StateRow(ce, ce, ce, ce, ce, ce, ce, ce, es, ss, sr, sa, rj, cl)
        case .cookieAck: StateRow(es, es, es, es, es, es, es, es, es, ss, sr, sa, rj, cl)
        case .shutdown: StateRow(ss, ss, ss, ss, ss, ss, ss, ss, ss, ss, sr, sa, rj, cl)
        case .shutdownAck: StateRow(sa, sa, sa, sa, sa, cw, co, ce, es, sa, sa, sa, rj, cl)
        case .shutdownComplete: StateRow(cl, i1, ii, cs, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .error: StateRow(cl, cl, cl, cl, cl, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .abort: StateRow(cl, rj, cl, cl, cl, cl, cl, cl, cl, cl, cl, cl, cl, cl)
        }
    }

    @usableFromInline
    #if !DEBUG
        @_noAllocation@_noLocks
    #endif
    static func onlyInput(_ event: Event) -> StateRow {
        switch event {
        case .data: StateRow(es, i1, ii, cs, cr, es, co, ce, es, ss, sr, sa, rj, cl)
        case .start: StateRow(i1, ii, ii, ii, ii, ii, co, ce, es, ss, sr, sa, ii, ii)
        case .startAck: StateRow(ce, ce, ce, ce, ce, ce, co, ce, es, ss, sr, sa, rj, cl)
        case .cookieEcho: StateRow(es, es, es, es, es, es, es, es, es, ss, sr, sa, rj, cl)
        case .cookieAck: StateRow(es, i1, ii, es, es, cw, es, es, es, ss, sr, sa, rj, cl)
        case .shutdown: StateRow(sr, i1, ii, cs, cr, cw, co, ce, sr, ss, sr, sa, rj, cl)
        case .shutdownAck: StateRow(cl, ii, ii, cs, cr, cw, co, ce, cl, cl, sr, cl, rj, cl)
        case .shutdownComplete: StateRow(cl, cl, cl, cl, cl, cw, co, ce, es, ss, cl, cl, rj, cl)
        case .error: StateRow(cl, i1, ii, cs, cr, cw, co, ce, es, ss, sr, sa, rj, cl)
        case .abort: StateRow(cl, cl, cl, cl, cl, rj, cl, cl, cl, cl, cl, cl, cl, cl)
        }
    }
}
