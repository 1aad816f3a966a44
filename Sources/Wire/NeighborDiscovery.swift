/// Options of neighbour discovery messages (RFC 4861 §4.6): type (0), length in units of eight bytes (1), contents.
public enum NeighborOption {
    /// The sender's MAC, in a solicitation.
    @inlinable public static var sourceLinkLayerAddress: UInt8 { 1 }
    /// The target's MAC, in an advertisement.
    @inlinable public static var targetLinkLayerAddress: UInt8 { 2 }
    /// Length of an option that holds a MAC, in bytes.
    @inlinable static var linkLayerLength: Int { 8 }

    /// Whether `options` is a row of whole options, none of length zero: a message with others is to be dropped (RFC 4861
    /// §4.6).
    @inlinable
    public static func areWellFormed(_ options: PacketBytes) -> Bool {
        var offset = 0
        while offset &+ 2 <= options.count {
            let length = Int(options[offset &+ 1]) &* 8
            guard length > 0 else { return false }
            offset &+= length
        }
        return offset == options.count
    }

    /// The MAC in the first option of `type`; nil when there is none.
    @inlinable
    public static func linkLayerAddress(_ type: UInt8, in options: PacketBytes) -> MACAddress? {
        var offset = 0
        while offset &+ linkLayerLength <= options.count {
            let length = Int(options[offset &+ 1]) &* 8
            guard length > 0 else { return nil }
            if options[offset] == type { return MACAddress(options, at: offset &+ 2) }
            offset &+= length
        }
        return nil
    }

    /// Write an option that holds a MAC at `offset`.
    @inlinable @inline(__always)
    static func emit(_ type: UInt8, _ address: MACAddress, to bytes: PacketBytes, at offset: Int) {
        bytes[offset] = type
        bytes[offset &+ 1] = 1
        address.write(to: bytes, at: offset &+ 2)
    }
}

/// The layout that neighbour solicitations and advertisements share.
@usableFromInline enum NeighborField {
    @inlinable static var flags: Int { 4 }
    @inlinable static var target: Int { 8 }
    @inlinable static var options: Int { 24 }

    /// Whether `bytes` is a message of `type` in good form: code zero, the target there and no multicast address, options
    /// whole (RFC 4861 §7.1). The hop limit of 255 and the checksum are the caller's to check.
    @inlinable
    static func isMessage(_ bytes: PacketBytes, type: UInt8) -> Bool {
        bytes.count >= options && bytes[0] == type && bytes[1] == 0
            && !IPAddress(v6: bytes, at: target).isMulticast
            && NeighborOption.areWellFormed(bytes.dropping(options))
    }
}

/// A neighbour solicitation (RFC 4861 §4.3): an ICMPv6 header with four bytes reserved (4), the target (8), options (24).
public struct NeighborSolicitation {
    /// Length without options, in bytes.
    @inlinable public static var minimumLength: Int { 24 }
    /// Length with the sender's MAC, in bytes.
    @inlinable public static var lengthWithMAC: Int { 32 }

    /// The message from the first byte of the ICMPv6 header to its last.
    public let bytes: PacketBytes

    /// A view of an ICMPv6 message; nil unless it is a solicitation in good form (RFC 4861 §7.1.1). The hop limit of 255
    /// and the checksum are the caller's to check.
    @inlinable
    public init?(_ bytes: PacketBytes) {
        guard NeighborField.isMessage(bytes, type: ICMPv6Type.neighborSolicitation) else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the message.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// The address that is asked for.
    @inlinable @inline(__always)
    public var target: IPAddress { IPAddress(v6: bytes, at: NeighborField.target) }
    /// The sender's MAC; nil when the message does not say, as in duplicate address detection.
    @inlinable
    public var sourceMAC: MACAddress? {
        NeighborOption.linkLayerAddress(
            NeighborOption.sourceLinkLayerAddress, in: bytes.dropping(NeighborField.options))
    }

    /// Write a whole message, its checksum included, to exactly `minimumLength` or, with a MAC, `lengthWithMAC` bytes.
    @inlinable
    public func emit(target: IPAddress, sourceMAC: MACAddress?, source: IPAddress, destination: IPAddress) {
        bytes.store(target.high, NeighborField.target)
        bytes.store(target.low, NeighborField.target &+ 8)
        if let sourceMAC {
            NeighborOption.emit(
                NeighborOption.sourceLinkLayerAddress, sourceMAC, to: bytes, at: NeighborField.options)
        }
        ICMPv6Header(unchecked: bytes).emit(
            type: ICMPv6Type.neighborSolicitation, code: 0, rest: 0, source: source, destination: destination)
    }
}

/// A neighbour advertisement (RFC 4861 §4.4): an ICMPv6 header with flags (4), the target (8), options (24).
public struct NeighborAdvertisement {
    /// Length without options, in bytes.
    @inlinable public static var minimumLength: Int { 24 }
    /// Length with the target's MAC, in bytes.
    @inlinable public static var lengthWithMAC: Int { 32 }
    /// The flags, the first byte of four.
    public struct Flags: OptionSet, Sendable, BitwiseCopyable {
        /// The byte at offset 4.
        public let rawValue: UInt8
        /// From the byte at offset 4.
        @inlinable @inline(__always)
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The sender is a router.
        @inlinable public static var router: Flags { Flags(rawValue: 0x80) }
        /// The message answers a solicitation.
        @inlinable public static var solicited: Flags { Flags(rawValue: 0x40) }
        /// The message is to override what a cache holds.
        @inlinable public static var override: Flags { Flags(rawValue: 0x20) }
    }

    /// The message from the first byte of the ICMPv6 header to its last.
    public let bytes: PacketBytes

    /// A view of an ICMPv6 message; nil unless it is an advertisement in good form (RFC 4861 §7.1.2). The hop limit of
    /// 255 and the checksum are the caller's to check.
    @inlinable
    public init?(_ bytes: PacketBytes) {
        guard NeighborField.isMessage(bytes, type: ICMPv6Type.neighborAdvertisement) else { return nil }
        self.bytes = bytes
    }

    /// A view of memory that has room for the message.
    @inlinable @inline(__always)
    public init(unchecked bytes: PacketBytes) { self.bytes = bytes }

    /// The flags.
    @inlinable @inline(__always)
    public var flags: Flags { Flags(rawValue: bytes[NeighborField.flags]) }
    /// The address that is told of.
    @inlinable @inline(__always)
    public var target: IPAddress { IPAddress(v6: bytes, at: NeighborField.target) }
    /// The target's MAC; nil when the message does not say.
    @inlinable
    public var targetMAC: MACAddress? {
        NeighborOption.linkLayerAddress(
            NeighborOption.targetLinkLayerAddress, in: bytes.dropping(NeighborField.options))
    }

    /// Write a whole message, its checksum included, to exactly `minimumLength` or, with a MAC, `lengthWithMAC` bytes.
    @inlinable
    public func emit(
        flags: Flags, target: IPAddress, targetMAC: MACAddress?, source: IPAddress, destination: IPAddress
    ) {
        bytes.store(target.high, NeighborField.target)
        bytes.store(target.low, NeighborField.target &+ 8)
        if let targetMAC {
            NeighborOption.emit(
                NeighborOption.targetLinkLayerAddress, targetMAC, to: bytes, at: NeighborField.options)
        }
        ICMPv6Header(unchecked: bytes).emit(
            type: ICMPv6Type.neighborAdvertisement, code: 0, rest: UInt32(flags.rawValue) << 24, source: source,
            destination: destination)
    }
}

extension IPAddress {
    /// ff02::1, all nodes of the link (RFC 4291 §2.7.1).
    @inlinable public static var allNodesV6: IPAddress { IPAddress(high: 0xff02 << 48, low: 1) }

    /// The multicast address at which a node with this address hears solicitations: ff02::1:ff00:0 and the last 24 bits
    /// (RFC 4291 §2.7.1).
    @inlinable public var solicitedNode: IPAddress {
        IPAddress(high: 0xff02 << 48, low: 0x1_ff00_0000 | low & 0xff_ffff)
    }
}

extension MACAddress {
    /// The group address of an IPv6 multicast address: 33:33 and the last four bytes (RFC 2464 §7).
    @inlinable
    public init(multicastV6 address: IPAddress) { self.init(bits: 0x3333 << 32 | UInt64(address.v4)) }
}
