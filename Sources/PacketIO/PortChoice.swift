import CLinuxNet

/// How frames of an interface are to be taken: what `--io` says.
public enum PortChoice: String, CaseIterable, Hashable, Sendable {
    /// What suits the interface best.
    case auto
    /// A packet socket.
    case packet
    /// AF_XDP.
    case xdp

    /// A port that was opened, and why this kind.
    public struct Opened: Sendable {
        /// The port.
        public let port: any InterfacePort
        /// Why it is of this kind, for people.
        public let reason: String
    }

    /// Open a port on `interface`. `xdp` that cannot be had is an error; `auto` falls back to a packet socket.
    public func open(interface: String) throws(PortError) -> Opened {
        switch self {
        case .packet:
            return Opened(port: try PacketSocket(interface: interface), reason: "as asked")
        case .xdp:
            return Opened(port: try XDPPort(interface: interface), reason: "as asked")
        case .auto:
            return try Self.best(interface)
        }
    }

    private static func best(_ interface: String) throws(PortError) -> Opened {
        // Asked first, since it names an interface that does not exist.
        let packet = try PacketSocket(interface: interface)
        let driver = unsafe String(cString: CLinuxNet_driver(interface))
        guard driver != "veth", driver != "tun", driver != "bridge", !driver.isEmpty else {
            let what = driver.isEmpty ? "no driver that tells its name" : driver
            return Opened(port: packet, reason: "\(what): a packet socket carries its super-frames")
        }
        do throws(PortError) {
            let port = try XDPPort(interface: interface, modes: [.native])
            return Opened(port: port, reason: "\(driver) runs XDP in its driver")
        } catch {
            return Opened(port: packet, reason: "no native XDP (\(error))")
        }
    }
}
