public import Wire

/// TCP options (RFC 9293 §3.1, IANA "TCP Option Kind Numbers"): what FULLNAT changes in them.
///
/// Each function works in place and returns the change of the options' sum, for the checksum. Options are walked as far
/// as they are whole.
public enum TCPOptions {
    /// End of the options.
    @usableFromInline static var end: UInt8 { 0 }
    /// A byte that means nothing.
    @usableFromInline static var noOperation: UInt8 { 1 }
    /// Maximum segment size, 4 bytes.
    @usableFromInline static var maximumSegmentSize: UInt8 { 2 }
    /// SACK blocks (RFC 2018), 2 + 8n bytes.
    @usableFromInline static var selectiveAcknowledgement: UInt8 { 5 }
    /// Timestamps (RFC 7323), 10 bytes.
    @usableFromInline static var timestamps: UInt8 { 8 }
    /// TCP Fast Open (RFC 7413).
    @usableFromInline static var fastOpen: UInt8 { 34 }

    /// Where an option of a kind lies.
    @usableFromInline
    struct Place {
        @usableFromInline var offset: Int
        @usableFromInline var length: Int
        @usableFromInline init(offset: Int, length: Int) {
            self.offset = offset
            self.length = length
        }
    }

    /// The first option of `kind` in `options`; nil when there is none, or what comes before it is broken.
    @usableFromInline
    static func find(_ kind: UInt8, in options: PacketBytes) -> Place? {
        var offset = 0
        while offset < options.count {
            let found = options[offset]
            if found == end { return nil }
            if found == noOperation {
                offset &+= 1
                continue
            }
            guard offset &+ 1 < options.count else { return nil }
            let length = Int(options[offset &+ 1])
            guard length >= 2, offset &+ length <= options.count else { return nil }
            if found == kind { return Place(offset: offset, length: length) }
            offset &+= length
        }
        return nil
    }

    /// Overwrite an option with bytes that mean nothing, its length kept (DPVS, `tcp_in_remove_ts`).
    @usableFromInline
    static func remove(_ kind: UInt8, from options: PacketBytes) -> UInt64 {
        guard let place = find(kind, in: options) else { return 0 }
        let before = Checksum.sum(options)
        for offset in place.offset..<place.offset &+ place.length { options[offset] = noOperation }
        return Checksum.difference(from: before, to: Checksum.sum(options))
    }

    /// Lower the maximum segment size to `most`.
    @usableFromInline
    static func limitSegmentSize(_ options: PacketBytes, to most: Int) -> UInt64 {
        guard let place = find(maximumSegmentSize, in: options), place.length == 4 else { return 0 }
        let old: UInt16 = options.load(place.offset &+ 2)
        guard Int(old) > most else { return 0 }
        let before = Checksum.sum(options)
        options.store(UInt16(truncatingIfNeeded: max(most, 0)), place.offset &+ 2)
        return Checksum.difference(from: before, to: Checksum.sum(options))
    }

    /// Lower the maximum segment size by `amount` (DPVS, `tcp_out_adjust_mss`).
    @usableFromInline
    static func lowerSegmentSize(_ options: PacketBytes, by amount: Int) -> UInt64 {
        guard let place = find(maximumSegmentSize, in: options), place.length == 4 else { return 0 }
        return limitSegmentSize(options, to: Int(options.load(place.offset &+ 2, as: UInt16.self)) &- amount)
    }

    /// Pass the edges of all SACK blocks through `mapping` (DPVS, `tcp_out_adjust_seq`).
    @usableFromInline
    static func mapBlocks(_ options: PacketBytes, _ mapping: SequenceMapping) -> UInt64 {
        guard let place = find(selectiveAcknowledgement, in: options), place.length >= 10, place.length & 7 == 2 else {
            return 0
        }
        let before = Checksum.sum(options)
        var offset = place.offset &+ 2
        while offset < place.offset &+ place.length {
            options.store(mapping.clients(options.load(offset)), offset)
            offset &+= 4
        }
        return Checksum.difference(from: before, to: Checksum.sum(options))
    }
}

/// How a real server's view of the client's sequence numbers turns into the client's own.
public struct SequenceMapping: Sendable, BitwiseCopyable {
    /// What the server's numbers are ahead.
    public var offset: UInt32
    /// The client's first byte, as the server counts.
    public var first: UInt32
    /// Bytes of a header that the client does not know of and that the server may not have acknowledged in full; 0: none.
    public var pending: UInt32

    /// A plain shift.
    @inlinable @inline(__always)
    public init(offset: UInt32, first: UInt32 = 0, pending: UInt32 = 0) {
        self.offset = offset
        self.first = first
        self.pending = pending
    }

    /// The client's number of the server's `number`. What lies inside the header becomes the client's first byte.
    @inlinable @inline(__always)
    public func clients(_ number: UInt32) -> UInt32 {
        if pending == 0 { return number &- offset }
        let beyond = Int32(bitPattern: number &- first)
        guard beyond > 0 else { return number &- offset }
        let inside = UInt32(bitPattern: beyond) < pending ? UInt32(bitPattern: beyond) : pending
        return number &- offset &- inside
    }
}
