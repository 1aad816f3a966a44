import CLinuxNet
import Glibc
import Wire

/// A socket by which packets of one kind of tunnel come; closed when it goes.
final class TunnelSocket: Sendable {
    /// The largest IP packet.
    static let largestPacket = 65_535

    /// What it gives.
    struct Arrival {
        /// Bytes received; more than there was room for when the packet was cut.
        var length: Int
        /// The outer source.
        var source: IPAddress
        /// ToS or traffic class of the outer header.
        var trafficClass: UInt8
    }

    let carrier: Carrier
    /// Whether packets begin with their outer IPv4 header.
    let hasOuterHeader: Bool
    let descriptor: Int32

    /// A raw socket for `carrier`'s protocol.
    init(raw carrier: Carrier, family: AddressFamily) throws(DecapsulationError) {
        let number: Int32
        switch carrier {
        case .ipv4: number = Int32(IPProtocol.ipip)
        case .ipv6: number = Int32(IPProtocol.ipv6)
        case .gre: number = Int32(IPProtocol.gre)
        case .gue: number = Int32(IPProtocol.udp)
        }
        self.carrier = carrier
        hasOuterHeader = family == .v4
        descriptor = CLinuxNet_openRawSocket(family == .v4 ? AF_INET : AF_INET6, number)
        guard descriptor >= 0 else {
            throw DecapsulationError(
                "open a raw socket for protocol \(number)", errno: -descriptor, needs: "CAP_NET_RAW")
        }
    }

    /// A UDP socket for GUE.
    init(guePort: UInt16, family: AddressFamily) throws(DecapsulationError) {
        carrier = .gue
        hasOuterHeader = false
        descriptor = CLinuxNet_openUDPSocket(family == .v4 ? AF_INET : AF_INET6, guePort)
        guard descriptor != -EADDRINUSE else { throw .portInUse(guePort) }
        guard descriptor >= 0 else {
            throw DecapsulationError(
                "listen on UDP port \(guePort)", errno: -descriptor, needs: "CAP_NET_BIND_SERVICE")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Packets dropped for lack of room.
    var drops: UInt64 { UInt64(CLinuxNet_socketDrops(descriptor)) }

    /// Take one packet into `bytes`, without waiting; nil when there is none.
    func receive(into bytes: PacketBytes) -> Arrival? {
        var arrival = Arrival(length: 0, source: .anyV6, trafficClass: 0)
        var high: UInt64 = 0
        var low: UInt64 = 0
        let length = unsafe withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { source in
            let address = unsafe source.bindMemory(to: UInt8.self)
            guard let first = address.baseAddress else { return -Int(EINVAL) }
            let length = unsafe CLinuxNet_receivePacket(
                descriptor, bytes.pointer(), bytes.count, first, &arrival.trafficClass)
            high = unsafe UInt64(bigEndian: source.load(as: UInt64.self))
            low = unsafe UInt64(bigEndian: source.load(fromByteOffset: 8, as: UInt64.self))
            return length
        }
        guard length >= 0 else { return nil }
        arrival.length = length
        arrival.source = IPAddress(high: high, low: low)
        return arrival
    }
}
