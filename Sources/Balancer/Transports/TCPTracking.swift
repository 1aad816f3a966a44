public import Wire

/// The TCP states of a connection entry, as the kernel numbers them (`IP_VS_TCP_S_*`).
public enum TCPState: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case none, established, synSent, synReceived, finWait, timeWait, close, closeWait, lastAck, listen, synAck

    /// The name in listings.
    public var name: String {
        switch self {
        case .none: "NONE"
        case .established: "ESTABLISHED"
        case .synSent: "SYN_SENT"
        case .synReceived: "SYN_RECV"
        case .finWait: "FIN_WAIT"
        case .timeWait: "TIME_WAIT"
        case .close: "CLOSE"
        case .closeWait: "CLOSE_WAIT"
        case .lastAck: "LAST_ACK"
        case .listen: "LISTEN"
        case .synAck: "SYNACK"
        }
    }

    /// Seconds an entry lives in this state after its last packet (`ip_vs_proto_tcp.c`, `tcp_timeouts`).
    public var defaultTimeout: UInt32 {
        switch self {
        case .none: 2
        case .established: 900
        case .synSent, .finWait, .timeWait, .listen, .synAck: 120
        case .synReceived, .closeWait: 60
        case .close: 10
        case .lastAck: 30
        }
    }
}

/// TCP as IPVS follows it: flags move the state by table (`net/netfilter/ipvs/ip_vs_proto_tcp.c`).
public enum TCPTracking {
    @usableFromInline static var no: UInt8 { 0 }
    @usableFromInline static var es: UInt8 { 1 }
    @usableFromInline static var ss: UInt8 { 2 }
    @usableFromInline static var sr: UInt8 { 3 }
    @usableFromInline static var fw: UInt8 { 4 }
    @usableFromInline static var tw: UInt8 { 5 }
    @usableFromInline static var cl: UInt8 { 6 }
    @usableFromInline static var cw: UInt8 { 7 }
    @usableFromInline static var la: UInt8 { 8 }
    @usableFromInline static var li: UInt8 { 9 }
    @usableFromInline static var sa: UInt8 { 10 }

    /// Whether entries in `state` count as active: ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK.
    @inlinable @inline(__always)
    public static func isActive(_ state: UInt8) -> Bool { 0b100_0000_1110 >> UInt32(state) & 1 != 0 }

    /// Whether an entry in `state` is a handshake that has not been completed.
    @inlinable @inline(__always)
    public static func isEmbryonic(_ state: UInt8) -> Bool { state == 3 || state == 10 || state == 0 }

    /// The state after a packet with `flags`. Of several flags RST wins over SYN over FIN over ACK; none of them closes.
    ///
    /// - Parameters:
    ///   - direction: which side sent it.
    ///   - inputOnly: no packet of the server was seen so far (DR and tunnel: never).
    ///   - secure: the tables of `secure_tcp`.
    @inlinable @inline(__always)
    public static func next(
        _ state: UInt8, _ flags: TCPFlags, _ direction: FlowDirection, inputOnly: Bool, secure: Bool
    ) -> UInt8 {
        let bits = flags.rawValue
        let row: StateRow
        if bits & 4 != 0 {
            row = reset(direction, inputOnly, secure)
        } else if bits & 2 != 0 {
            row = synchronize(direction, inputOnly, secure)
        } else if bits & 1 != 0 {
            row = finish(direction, inputOnly, secure)
        } else if bits & 16 != 0 {
            row = acknowledge(direction, inputOnly, secure)
        } else {
            return cl
        }
        return row.next(state)
    }

    // Columns: NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, LISTEN, SYNACK.

    @inlinable @inline(__always)
    static func synchronize(_ direction: FlowDirection, _ inputOnly: Bool, _ secure: Bool) -> StateRow {
        if direction == .reply {
            return secure
                ? StateRow(ss, es, ss, sa, ss, ss, ss, ss, ss, li, sa)
                : StateRow(ss, es, ss, sr, ss, ss, ss, ss, ss, li, sr)
        }
        guard secure else { return StateRow(sr, es, es, sr, sr, sr, sr, sr, sr, sr, sr) }
        return inputOnly
            ? StateRow(sa, es, es, sr, sa, sa, sa, sa, sa, sa, sa)
            : StateRow(sr, es, es, sr, sr, sr, sr, sr, sr, sr, sa)
    }

    @inlinable @inline(__always)
    static func finish(_ direction: FlowDirection, _ inputOnly: Bool, _ secure: Bool) -> StateRow {
        if direction == .reply { return StateRow(tw, fw, ss, tw, fw, tw, cl, tw, la, li, tw) }
        if inputOnly { return StateRow(cl, fw, ss, tw, fw, tw, cl, cw, la, li, tw) }
        return secure
            ? StateRow(cl, cw, ss, tw, tw, tw, cl, cw, la, li, sa)
            : StateRow(cl, cw, ss, tw, tw, tw, cl, cw, la, li, tw)
    }

    @inlinable @inline(__always)
    static func acknowledge(_ direction: FlowDirection, _ inputOnly: Bool, _ secure: Bool) -> StateRow {
        if direction == .reply { return StateRow(es, es, ss, es, fw, tw, cl, cw, la, es, es) }
        return secure && !inputOnly
            ? StateRow(es, es, ss, sr, fw, tw, cl, cw, cl, li, sa)
            : StateRow(es, es, ss, es, fw, tw, cl, cw, cl, li, es)
    }

    @inlinable @inline(__always)
    static func reset(_ direction: FlowDirection, _ inputOnly: Bool, _ secure: Bool) -> StateRow {
        if direction == .reply { return StateRow(cl, cl, ss, cl, cl, tw, cl, cl, cl, cl, cl) }
        return inputOnly || secure
            ? StateRow(cl, cl, cl, sr, cl, cl, cl, cl, la, li, cl)
            : StateRow(cl, cl, cl, sr, cl, cl, cl, cl, la, li, sr)
    }
}
