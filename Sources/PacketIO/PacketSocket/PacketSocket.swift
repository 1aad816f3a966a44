import CLinuxNet
import Wire

/// A network interface through AF_PACKET (packet(7)): whole Ethernet frames in and out, super-frames and partial
/// checksums included, by recvmmsg and sendmmsg.
///
/// `receive` and `transmit` belong to one worker thread; `attach`, `own`, `statistics` and `refusals` may be called from
/// any thread. The kernel keeps its own copy of every frame received here.
public final class PacketSocket: Port, @unchecked Sendable {
    /// What may be chosen when a socket is opened.
    public struct Settings: Hashable, Sendable {
        /// Room in the kernel for frames that wait for the worker outside of a ring, and for those on their way out, in bytes
        /// of its own accounting (a small frame takes about 800). Limited to `net.core.rmem_max` and `wmem_max` without
        /// CAP_NET_ADMIN.
        public var receiveBuffer = 32 << 20
        /// Memory of a receive ring in bytes, a power of two of at least 65,536, which is taken from the kernel at once; 0: no
        /// ring, frames come by recvmmsg. They do, too, where the kernel has no memory for one.
        public var receiveRing = 0
        /// See `receiveBuffer`.
        public var transmitBuffer = 8 << 20
        /// Whether frames leave past the interface's queueing discipline (PACKET_QDISC_BYPASS): less work per frame, but
        /// shaping on the interface does not apply.
        public var bypassesQueueingDiscipline = false

        /// The defaults.
        public init() {}
    }

    /// Frames that could not be sent, by reason; together they are `statistics.transmitDrops`.
    public struct Refusals: Hashable, Sendable {
        /// Longer than the interface's MTU and not a super-frame (EMSGSIZE).
        public var tooBig: UInt64 = 0
        /// No room, though it was waited for (EAGAIN, ENOBUFS).
        public var queueFull: UInt64 = 0
        /// The interface is down or gone (ENETDOWN, ENXIO, ENODEV).
        public var interfaceDown: UInt64 = 0
        /// Refused for what it is: wrong offload facts, a super-frame that cannot be segmented, too short (EINVAL and all
        /// other errors).
        public var invalid: UInt64 = 0
        /// Fewer than 10 bytes of headroom left for the virtio-net header.
        public var noHeadroom: UInt64 = 0
    }

    /// The interface's name.
    public let name: String
    /// The interface's index in its network namespace.
    public let interfaceIndex: Int32
    /// What it can carry; the MTU is that of the moment of opening.
    public let capabilities: PortCapabilities

    let socket: SocketDescriptor
    let buffers: FrameBuffers
    let ring: ReceiveRing
    let receiving: MessageBatch
    let sending: MessageBatch
    /// Whether the kernel is too old to leave out frames that this host sends (before 4.20).
    let seesOutgoing: Bool
    let counters = PortCounters()
    let tooBig = Counter()
    let queueFull = Counter()
    let interfaceDown = Counter()
    let invalid = Counter()
    let noHeadroom = Counter()
    private let attached = AttachedFilter()
    /// Instructions that a filter of `own` leaves for `include`, unless it is exact.
    public static let roomForMore = 512

    /// Open `interface` of the calling thread's network namespace. `filter` holds before the first frame is captured.
    /// - Parameter first: another socket on the interface, to share its frames with: those of a connection, and all
    ///   fragments of a datagram, come to the same one (PACKET_FANOUT_HASH).
    public init(
        interface: String, filter: SocketFilter = .nothing, settings: Settings = Settings(),
        sharingWith first: PacketSocket? = nil
    ) throws(PortError) {
        let action = "packet socket on \(interface)"
        let socket = try SocketDescriptor(opening: "open \(action)")
        let (index, mtu) = try socket.facts(of: interface)
        seesOutgoing = try socket.prepare(settings, action: action)
        try socket.attach(filter, action: action)
        ring = ReceiveRing(socket.number, bytes: settings.receiveRing, mtu: mtu)
        guard let buffers = FrameBuffers(count: Self.batch, isPrefaulted: true) else {
            throw .noMemory(action: action, bytes: Self.batch * FrameBuffers.stride)
        }
        let receiving = MessageBatch(capacity: Self.batch, carriesAddresses: seesOutgoing)
        for slot in 0..<Self.batch {
            receiving.cover(
                slot, buffers.frame(slot),
                length: FrameBuffers.stride - Frame.headroom + OffloadFacts.virtioHeaderLength)
        }
        self.buffers = buffers
        self.receiving = receiving
        sending = MessageBatch(capacity: Self.batch, carriesAddresses: false)
        name = interface
        interfaceIndex = index
        capabilities = PortCapabilities(mtu: mtu, carriesPartialChecksums: true, carriesSuperFrames: true)
        try socket.receiveAllMulticast(interfaceIndex: index, action: action)
        try socket.bind(interfaceIndex: index, action: action)
        if let first {
            let group = try first.socket.fanoutGroup(action: action)
            try socket.join(fanoutGroup: group, action: action)
        }
        self.socket = socket
    }

    /// The socket: readable when frames wait.
    public var descriptor: Int32? { socket.number }
    /// Where it has a ring.
    public var isFreeToAsk: Bool { ring.count > 0 }

    /// What it counted, frames dropped by the kernel for lack of room included. Any thread; asks the kernel.
    public var statistics: PortStatistics {
        counters.receiveDrops.addShared(socket.takeDrops())
        return counters.statistics
    }

    /// Why frames could not be sent. Any thread.
    public var refusals: Refusals {
        var refusals = Refusals()
        refusals.tooBig = tooBig.current
        refusals.queueFull = queueFull.current
        refusals.interfaceDown = interfaceDown.current
        refusals.invalid = invalid.current
        refusals.noHeadroom = noHeadroom.current
        return refusals
    }

    /// Replace the filter in one step: every frame sees the old one or the new. Frames that wait already stay. Any thread.
    public func attach(_ filter: SocketFilter) throws(PortError) {
        try socket.attach(filter, action: "packet socket on \(name)")
    }

    /// Let `traffic` be copied up beside what `own` was given last: quickly, and not for good, since the filter grows with
    /// it. Any thread.
    /// - Returns: false when that does not fit; nothing has changed then, and `own` is to be called with everything.
    public func include(_ traffic: OwnedTraffic) throws(PortError) -> Bool {
        try attached.include(traffic) { filter throws(PortError) in try attach(filter) }
    }

    /// Let only `traffic` be copied up: builds the filter and attaches it, with less precision where the kernel has too
    /// little room for it (`net.core.optmem_max`). Any thread.
    /// - Returns: the filter that holds now.
    ///
    /// - Parameter filter: one made for `traffic` already, as `SocketFilter(traffic, leaving: PacketSocket.roomForMore)`.
    @discardableResult
    public func own(
        _ traffic: OwnedTraffic, filter prepared: SocketFilter? = nil
    ) throws(PortError) -> SocketFilter {
        try attached.own(traffic, prepared) { filter throws(PortError) in try attach(filter) }
    }
}
