import CLinuxNet
import Glibc

/// One queue of a network interface through AF_XDP (Linux, Documentation/networking/af_xdp.rst): what the interface's
/// `RedirectProgram` leads to it comes in, and the host's own stack never sees it; frames are small ones with complete
/// checksums both ways, though a veth peer's arrive with partial ones, which are recognised.
///
/// `receive` and `transmit` belong to one worker thread; `statistics` may be read from any.
public final class XDPSocket: Port, @unchecked Sendable {
    /// Chunks to receive into, and as many to send from: the size of each ring.
    static var chunks: UInt32 { 2048 }
    /// The largest MTU whose frames fit into a chunk.
    public static var largestMTU: Int { XDPFrames.chunk - 256 - 14 }

    /// The interface's name.
    public var name: String { program.interface }
    /// The queue.
    public let queue: UInt32
    /// Small frames with complete checksums.
    public let capabilities: PortCapabilities
    /// Whether frame memory is shared with the device, so that the kernel copies nothing.
    public let isZeroCopy: Bool
    /// What leads frames here.
    public let program: RedirectProgram

    let socket: OwnedDescriptor
    let frames: XDPFrames
    let receiving: XDPRing
    let sending: XDPRing
    let filling: XDPRing
    let completing: XDPRing
    let counters = PortCounters()
    /// Chunks lent since the last `receive`; they lie before the receive ring's consumer.
    var lent: UInt32 = 0
    /// The transmit chunks that are not with the kernel, as a stack.
    var free: XDPFreeList

    /// Open queue `queue` of the program's interface and have the program lead its frames here.
    public init(_ program: RedirectProgram, queue: UInt32 = 0) throws(PortError) {
        let action = "AF_XDP socket on \(program.interface) queue \(queue)"
        let probe = try SocketDescriptor(opening: "open a socket for \(program.interface)")
        let mtu = try probe.facts(of: program.interface).mtu
        guard mtu <= Self.largestMTU else {
            throw .unsuitable(action: action, reason: "its MTU of \(mtu) is more than \(Self.largestMTU)")
        }
        let total = Int(Self.chunks) * 2 * XDPFrames.chunk
        guard let frames = XDPFrames(count: Int(Self.chunks) * 2) else { throw .noMemory(action: action, bytes: total) }
        let socket = try OwnedDescriptor(CLinuxNet_openXDPSocket(), "open \(action)")
        try frames.register(socket.number, action)
        filling = try XDPRing(socket.number, CLinuxNet_fillRing, count: Self.chunks, action: action)
        completing = try XDPRing(socket.number, CLinuxNet_completionRing, count: Self.chunks, action: action)
        receiving = try XDPRing(socket.number, CLinuxNet_receiveRing, count: Self.chunks, action: action)
        sending = try XDPRing(socket.number, CLinuxNet_transmitRing, count: Self.chunks, action: action)
        for number in 0..<Self.chunks { filling.write(number, address: UInt64(number) * UInt64(XDPFrames.chunk)) }
        filling.publish(Self.chunks)
        free = XDPFreeList(first: Self.chunks, count: Self.chunks)
        let status = CLinuxNet_bindXDPSocket(
            socket.number, program.interfaceIndex, queue, UInt16(XDP_USE_NEED_WAKEUP))
        guard status == 0 else { throw PortError("bind \(action)", errno: -status) }
        isZeroCopy = CLinuxNet_isZeroCopy(socket.number) == 1
        try program.lead(queue: queue, to: socket.number)
        self.socket = socket
        self.frames = frames
        self.program = program
        self.queue = queue
        capabilities = PortCapabilities(mtu: mtu, carriesPartialChecksums: false, carriesSuperFrames: false)
    }

    /// How many receive queues an interface has: as many sockets take all its frames.
    public static func queues(of interface: String) -> UInt32 {
        let count = unsafe CLinuxNet_receiveQueues(interface)
        return count > 0 ? UInt32(count) : 1
    }

    /// The socket: readable when frames wait.
    public var descriptor: Int32? { socket.number }
    /// True: it looks at a ring.
    public var isFreeToAsk: Bool { true }

    /// What it counted, frames for which the kernel found no room included. Any thread; asks the kernel.
    public var statistics: PortStatistics {
        var statistics = counters.statistics
        var kernel = xdp_statistics()
        if unsafe CLinuxNet_takeXDPStatistics(socket.number, &kernel) == 0 {
            statistics.receiveDrops += kernel.rx_dropped + kernel.rx_ring_full
            statistics.transmitDrops += kernel.tx_invalid_descs
        }
        return statistics
    }
}
