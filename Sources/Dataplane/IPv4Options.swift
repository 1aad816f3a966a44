import Balancer
import Wire

/// IPv4 options as a forwarding host treats them (RFC 791 §3.1, RFC 1812 §5.2.4).
enum IPv4Options {
    enum Finding: Equatable {
        case plain
        case sourceRoute
        /// What is wrong lies at this offset of the header.
        case broken(at: Int)
    }

    private static var end: UInt8 { 0 }
    private static var noOperation: UInt8 { 1 }
    private static var recordRoute: UInt8 { 7 }
    private static var timestamp: UInt8 { 68 }
    private static var looseSourceRoute: UInt8 { 131 }
    private static var strictSourceRoute: UInt8 { 137 }

    /// Whether the options are well formed and without a source route (`net/ipv4/ip_options.c`, `__ip_options_compile`).
    static func inspect(_ bytes: PacketBytes, _ packet: PacketDescription) -> Finding {
        var offset = packet.networkOffset &+ IPv4Header.minimumLength
        while offset < packet.transportOffset {
            let kind = bytes[offset]
            if kind == end { return .plain }
            if kind == noOperation {
                offset &+= 1
                continue
            }
            let place = offset &- packet.networkOffset
            guard offset &+ 1 < packet.transportOffset else { return .broken(at: place) }
            let length = Int(bytes[offset &+ 1])
            guard length >= 2, offset &+ length <= packet.transportOffset else { return .broken(at: place) }
            if kind == looseSourceRoute || kind == strictSourceRoute { return .sourceRoute }
            if kind == recordRoute || kind == timestamp {
                let fault = faultOfPointer(bytes.dropping(offset).prefix(length), isTimestamp: kind == timestamp)
                if fault > 0 { return .broken(at: place &+ fault) }
            }
            offset &+= length
        }
        return .plain
    }

    /// Where an option that is filled on the way is wrong, from its first byte; 0: nowhere. Its pointer, the third byte,
    /// counts from 1 and says where the next entry goes; beyond the option's end it is full.
    private static func faultOfPointer(_ option: PacketBytes, isTimestamp: Bool) -> Int {
        guard option.count >= (isTimestamp ? 4 : 3) else { return 1 }
        let pointer = Int(option[2])
        guard pointer >= (isTimestamp ? 5 : 4) else { return 2 }
        let flags = isTimestamp ? option[3] : 0
        if pointer > option.count {
            // The hosts that found no room are counted, up to 15; prespecified addresses are not.
            return isTimestamp && flags & 0xf != 3 && flags >> 4 == 15 ? 3 : 0
        }
        let hasAddress = isTimestamp && (flags & 0xf == 1 || flags & 0xf == 3)
        return pointer &+ (hasAddress ? 7 : 3) > option.count ? 2 : 0
    }

    /// Write `address` into a record route option that has room, and adjust the header checksum.
    static func record(_ address: IPAddress, _ bytes: PacketBytes, _ packet: PacketDescription) {
        var offset = packet.networkOffset &+ IPv4Header.minimumLength
        while offset &+ 1 < packet.transportOffset {
            let kind = bytes[offset]
            if kind == end { return }
            if kind == noOperation {
                offset &+= 1
                continue
            }
            let length = Int(bytes[offset &+ 1])
            guard length >= 2 else { return }
            if kind == recordRoute, length >= 7 {
                let pointer = Int(bytes[offset &+ 2])
                guard pointer >= 4, pointer &+ 3 <= length else { return }
                bytes.store(address.v4, offset &+ pointer &- 1)
                bytes[offset &+ 2] = UInt8(truncatingIfNeeded: pointer &+ 4)
                IPv4Header(unchecked: bytes.dropping(packet.networkOffset)).fillChecksum()
                return
            }
            offset &+= length
        }
    }
}
