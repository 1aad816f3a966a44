public import Wire

/// What a port can do for the frames it carries.
public struct PortCapabilities: Hashable, Sendable {
    /// Largest IP packet in bytes.
    public var mtu: Int
    /// Whether partial checksums pass through both ways.
    public var carriesPartialChecksums: Bool
    /// Whether super-frames (up to 64 KB, to be segmented by a device) pass through both ways.
    public var carriesSuperFrames: Bool

    /// From its parts.
    public init(mtu: Int, carriesPartialChecksums: Bool, carriesSuperFrames: Bool) {
        self.mtu = mtu
        self.carriesPartialChecksums = carriesPartialChecksums
        self.carriesSuperFrames = carriesSuperFrames
    }
}

/// What a port counted since it was opened.
public struct PortStatistics: Hashable, Sendable {
    /// Frames handed to the worker.
    public var received: UInt64 = 0
    /// Frames sent.
    public var transmitted: UInt64 = 0
    /// Frames the kernel or the device threw away before we saw them (ring or socket buffer full).
    public var receiveDrops: UInt64 = 0
    /// Frames that could not be sent.
    public var transmitDrops: UInt64 = 0

    /// All zero.
    public init() {}
}

/// A source and sink of Ethernet frames: one network interface, one capture file, one queue in memory.
///
/// Used by one worker thread, except `statistics`, which any thread may read. A call handles a batch, so that its cost
/// (a system call, a virtual call) is shared.
public protocol Port: AnyObject {
    /// The interface's name, for messages.
    var name: String { get }
    /// What it can carry.
    var capabilities: PortCapabilities { get }
    /// What it counted.
    var statistics: PortStatistics { get }
    /// A descriptor that is readable when frames wait; nil for ports that never block.
    var descriptor: Int32? { get }
    /// Whether `receive` makes no system call, so that it costs nothing to ask.
    var isFreeToAsk: Bool { get }

    /// Lend up to `frames.count` received frames without waiting: slots 0..<n are set, with `Frame.headroom` bytes of
    /// headroom and their offload facts. They stay valid until the next `receive` of this port.
    /// - Returns: n.
    func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int

    /// Send frames, in order. When it returns, the port no longer needs their bytes. What cannot be sent is counted in
    /// `statistics.transmitDrops`.
    func transmit(_ frames: UnsafeMutableBufferPointer<Frame>)
}

extension Port {
    /// False: most ports are asked by a system call.
    public var isFreeToAsk: Bool { false }
}

/// The kinds of port there are. To add one: a folder with the type that conforms to `Port`, and a case here.
public enum PortKind: String, CaseIterable, Hashable, Sendable {
    /// `PacketSocket`: a network interface through AF_PACKET.
    case packet
    /// `XDPPort`: a network interface through AF_XDP.
    case xdp
    /// `PcapPort`: a network interface through libpcap.
    case pcap
    /// `TunPort`: the host's own connections.
    case tun
    /// `CapturePort`: capture files.
    case capture
    /// `LoopbackPort`: queues in memory.
    case loopback

    /// The name users give and see.
    public var name: String { rawValue }

    /// What it is, for help texts.
    public var summary: String {
        switch self {
        case .packet: "a network interface, through a packet socket"
        case .xdp: "a network interface, through AF_XDP sockets: small frames only"
        case .pcap: "a network interface, through libpcap"
        case .tun: "connections that the host itself opens, through a TUN device"
        case .capture: "capture files: plays one, writes another"
        case .loopback: "queues in memory, for tests"
        }
    }
}
