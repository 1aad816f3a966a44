import CLinuxNet

/// How frames of an interface are to be taken: what `--io` says.
public enum PortChoice: String, CaseIterable, Hashable, Sendable {
    /// What suits the interface best.
    case auto
    /// A packet socket, by what suits the machine: `packetMmap` where there is one processor, else `packetMmsg`.
    case packet
    /// A packet socket with a receive ring: less work a packet, but the ring moves between the processors' caches.
    case packetMmap = "packet-mmap"
    /// A packet socket by recvmmsg.
    case packetMmsg = "packet-mmsg"
    /// AF_XDP, by the interface's driver where it can.
    case xdp
    /// AF_XDP, always by the kernel's receive path. A veth driver makes a page of each frame, this copies the frame alone;
    /// but it does not keep the other end from sending super-frames, which are dropped and counted here.
    case xdpGeneric = "xdp-generic"
    /// libpcap.
    case pcap

    /// Ports that were opened, and why this kind.
    public struct Opened: Sendable {
        /// A port for each worker.
        public let ports: [any InterfacePort]
        /// Why they are of this kind, for people.
        public let reason: String
    }

    /// Open `interface` for `workers` workers. What is asked for and cannot be had is an error; `auto` falls back to packet
    /// sockets.
    /// - Parameter bypassesQueueingDiscipline: of packet sockets, whether frames leave past it
    ///   (`PacketSocket.Settings.bypassesQueueingDiscipline`). The other ports have no queueing discipline to pass (AF_XDP), or
    ///   always pass through it (libpcap).
    public func open(
        interface: String, workers: Int = 1, bypassesQueueingDiscipline: Bool = false
    ) throws(PortError) -> Opened {
        var settings = PacketSocket.Settings()
        settings.bypassesQueueingDiscipline = bypassesQueueingDiscipline
        return switch self {
        case .auto: try Self.best(interface, workers, settings)
        case .packet: Opened(ports: try Self.packetSockets(interface, workers, settings), reason: "as asked")
        case .packetMmap, .packetMmsg:
            Opened(
                ports: try Self.packetSockets(interface, workers, settings, hasRing: self == .packetMmap),
                reason: "as asked")
        case .xdp: Opened(ports: try XDPPort.ports(interface: interface, count: workers), reason: "as asked")
        case .xdpGeneric:
            Opened(
                ports: try XDPPort.ports(interface: interface, modes: [.generic], count: workers), reason: "as asked")
        case .pcap: Opened(ports: try PcapPort.ports(interface: interface, count: workers), reason: "as asked")
        }
    }

    /// Memory of a receive ring in bytes: 4,096 frames of up to 1,910 bytes.
    private static let receiveRing = 8 << 20

    private static func packetSockets(
        _ interface: String, _ workers: Int, _ settings: PacketSocket.Settings,
        hasRing: Bool = CLinuxNet_processors() == 1
    ) throws(PortError) -> [PacketSocket] {
        var settings = settings
        settings.receiveRing = hasRing ? receiveRing : 0
        var sockets = [try PacketSocket(interface: interface, settings: settings)]
        while sockets.count < workers {
            sockets.append(try PacketSocket(interface: interface, settings: settings, sharingWith: sockets[0]))
        }
        return sockets
    }

    private static func best(
        _ interface: String, _ workers: Int, _ settings: PacketSocket.Settings
    ) throws(PortError) -> Opened {
        // Asked first, since it names an interface that does not exist.
        let packet = try packetSockets(interface, workers, settings)
        let driver = unsafe String(cString: CLinuxNet_driver(interface))
        guard driver != "veth", driver != "tun", driver != "bridge", !driver.isEmpty else {
            let what = driver.isEmpty ? "no driver that tells its name" : driver
            return Opened(ports: packet, reason: "\(what): packet sockets carry its super-frames")
        }
        do throws(PortError) {
            let ports = try XDPPort.ports(interface: interface, modes: [.native], count: workers)
            return Opened(ports: ports, reason: "\(driver) runs XDP in its driver")
        } catch {
            return Opened(ports: packet, reason: "no native XDP (\(error))")
        }
    }
}
