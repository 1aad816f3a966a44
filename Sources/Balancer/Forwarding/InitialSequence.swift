import Wire

/// Initial sequence numbers towards real servers (RFC 6528, as DPVS's `tcp_in_init_seq`): a clock of 64 ns and a keyed
/// hash of the connection as the server sees it. On a port that is used again the numbers so begin above those of the
/// connection before, and a server that still has that one in TIME_WAIT takes the SYN for what it is; and nobody who
/// does not see the packets can guess them.
enum InitialSequence {
    /// Steps of the clock in a tick: 4 ms of 64 ns.
    static var stepsPerTick: UInt32 { 62_500 }

    /// The number of the SYN of a connection whose replies have `key`, at tick `now`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    static func number(of key: FlowKey, now: Tick, secret: HashSecret) -> UInt32 {
        let ports = UInt64(key.sourcePort) << 16 | UInt64(key.destinationPort)
        var state = SipState(key0: secret.first ^ 0x5345_515f_4e55_4d42, key1: secret.second)
        state.absorb(key.source.high)
        state.absorb(key.source.low)
        state.absorb(key.destination.high)
        state.absorb(key.destination.low)
        // Four words before, and four bytes of ports.
        state.absorb(36 << 56 | ports)
        return UInt32(truncatingIfNeeded: state.finish()) &+ now &* stepsPerTick
    }
}

extension ConnectionTable {
    /// The sequence number of the SYN that opens the connection whose replies have `key`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func initialSequence(replies key: FlowKey, now: Tick) -> UInt32 {
        InitialSequence.number(of: key, now: now, secret: secret)
    }
}
