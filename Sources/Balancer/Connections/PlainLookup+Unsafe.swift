public import Synchronization

/// The lookup of plain packets: `ConnectionTable.find` for what is found at a glance.
extension ConnectionTable {
    /// The entry of a packet by NAT or direct routing between IPv4 addresses, where one key of the home's own line may be
    /// meant and no other. Nil says nothing: ask `find`.
    @inlinable @inline(__always)
    public func find(_ packet: PlainPacket, hash: UInt64) -> (entry: ConnectionEntry, isRequest: Bool)? {
        let home = home(hash)
        var live = unsafe lines[home].word.load(ordering: .acquiring)
        guard live & ~TableLine.homeMask == 0 else { return nil }
        let tag = UInt64(truncatingIfNeeded: UInt32(truncatingIfNeeded: hash))
        var found: UInt32 = 0
        while live != 0 {
            let value = unsafe slot(home, live.trailingZeroBitCount).pointee.load(ordering: .acquiring)
            live &= live &- 1
            guard value >> 32 == tag else { continue }
            guard found == 0 else { return nil }
            found = UInt32(truncatingIfNeeded: value)
        }
        guard found != 0 else { return nil }
        let entry = entry((found & 0x7fff_ffff) &- 1)
        let isRequest = found & 0x8000_0000 == 0
        return entry.matches(packet, isRequest: isRequest) ? (entry, isRequest) : nil
    }
}

extension ConnectionEntry {
    /// The destination's address of an entry that `find` gave for a plain packet.
    @inlinable @inline(__always)
    public var plainDestination: UInt32 { unsafe hot.pointee.destination }
    /// The virtual address of an entry that `find` gave for a plain packet.
    @inlinable @inline(__always)
    public var plainVirtual: UInt32 { unsafe hot.pointee.virtual }

    /// Whether a plain packet is this entry's, which is nothing out of the ordinary: no kind but the plain one, NAT or, for
    /// requests, direct routing.
    @inlinable @inline(__always)
    func matches(_ packet: PlainPacket, isRequest: Bool) -> Bool {
        guard kind.rawValue == 0, transportProtocol == packet.transportProtocol else { return false }
        if isRequest {
            return unsafe (hot.pointee.method == 0 || hot.pointee.method == 3) && hot.pointee.client == packet.source
                && hot.pointee.virtual == packet.destination
                && UInt32(hot.pointee.clientPort) << 16 | UInt32(hot.pointee.virtualPort) == packet.ports
        }
        return unsafe hot.pointee.method == 0 && hot.pointee.destination == packet.source
            && hot.pointee.client == packet.destination
            && UInt32(hot.pointee.destinationPort) << 16 | UInt32(hot.pointee.clientPort) == packet.ports
    }
}
