import Balancer
import Wire

/// IPv4 options as a forwarding host treats them (RFC 791 §3.1, RFC 1812 §5.2.4).
enum IPv4Options {
    enum Finding { case plain, sourceRoute, broken }

    private static var end: UInt8 { 0 }
    private static var noOperation: UInt8 { 1 }
    private static var recordRoute: UInt8 { 7 }
    private static var looseSourceRoute: UInt8 { 131 }
    private static var strictSourceRoute: UInt8 { 137 }

    /// Whether the options are well formed and without a source route.
    static func inspect(_ bytes: PacketBytes, _ packet: PacketDescription) -> Finding {
        var offset = packet.networkOffset &+ IPv4Header.minimumLength
        while offset < packet.transportOffset {
            let kind = bytes[offset]
            if kind == end { return .plain }
            if kind == noOperation {
                offset &+= 1
                continue
            }
            guard offset &+ 1 < packet.transportOffset else { return .broken }
            let length = Int(bytes[offset &+ 1])
            guard length >= 2, offset &+ length <= packet.transportOffset else { return .broken }
            if kind == looseSourceRoute || kind == strictSourceRoute { return .sourceRoute }
            offset &+= length
        }
        return .plain
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
