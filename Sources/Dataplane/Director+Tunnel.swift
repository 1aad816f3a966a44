import Balancer
import Wire

/// Tunnels (`-i`): the packet leaves inside another (`ip_vs_xmit.c`, `ip_vs_tunnel_xmit`).
extension Director {
    mutating func encapsulate(
        _ frame: inout Frame, _ packet: PacketDescription, _ entry: ConnectionEntry, _ route: RouteResult
    ) {
        drop(.cannotEncapsulate)
    }

    func isTunnel(_ quoted: QuotedPacket) -> Bool { false }

    mutating func tunnelError(_ frame: inout Frame, _ packet: PacketDescription, _ quoted: QuotedPacket) {
        pass(frame)
    }
}
