import CPcap
import Glibc
public import Wire

/// A network interface through libpcap (pcap(3PCAP)): the port that needs nothing but what packet capture needs.
///
/// libpcap tells neither that a checksum is partial nor that a frame is a super-frame; both are recognised
/// (`OffloadFacts.recognizePartialChecksum`, `recognizeSuperFrame`). Frames are sent one by one, small and with complete
/// checksums. `receive` and `transmit` belong to one worker thread, the rest may be called from any.
@safe
public final class PcapPort: InterfacePort, @unchecked Sendable {
    /// The interface's name.
    public let name: String
    /// Small frames with complete checksums out; the MTU is that of the moment of opening.
    public let capabilities: PortCapabilities
    /// Readable when frames wait.
    public let descriptor: Int32?
    private let capture: OpaquePointer
    private let socket: SocketDescriptor
    private let attached = AttachedFilter()
    private let buffers: FrameBuffers
    private let counters = PortCounters()
    private static var batch: Int { 64 }
    /// Room in the kernel for frames that wait, in bytes: 500 of the longest.
    private static let ringLength: Int32 = 32 << 20
    /// The longest frame: a super-frame of 65,535 bytes of IP behind an Ethernet header, and a VLAN tag.
    private static let longest: Int32 = 65_553

    /// Open `interface` of the calling thread's network namespace. Nothing is received before `own`.
    public init(interface: String) throws(PortError) {
        let action = "open \(interface) by libpcap"
        let mtu = try SocketDescriptor(opening: action).facts(of: interface).mtu
        guard let buffers = FrameBuffers(count: Self.batch, isPrefaulted: true) else {
            throw .noMemory(action: action, bytes: Self.batch * FrameBuffers.stride)
        }
        let capture = try unsafe Self.activate(interface, action)
        do throws(PortError) {
            let number = unsafe pcap_get_selectable_fd(capture)
            // libpcap would check the filter by its own rules, and run it itself where the kernel has no room for it.
            let socket = try SocketDescriptor(duplicating: number, action)
            try socket.attach(.nothing, action: action)
            descriptor = number
            self.socket = socket
        } catch {
            unsafe pcap_close(capture)
            throw error
        }
        unsafe self.capture = capture
        self.buffers = buffers
        name = interface
        capabilities = PortCapabilities(mtu: mtu, carriesPartialChecksums: false, carriesSuperFrames: false)
        // What came before the filter.
        while unsafe Self.next(capture) != nil {}
    }

    deinit { unsafe pcap_close(capture) }

    /// The one port that an interface can have.
    static func ports(interface: String, count: Int) throws(PortError) -> [PcapPort] {
        guard count == 1 else {
            throw .unsuitable(action: "libpcap on \(interface)", reason: "it serves one worker, not \(count)")
        }
        return [try PcapPort(interface: interface)]
    }

    private static func activate(_ interface: String, _ action: String) throws(PortError) -> OpaquePointer {
        var message = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let capture = unsafe pcap_create(interface, &message) else {
            throw .unsuitable(action: action, reason: text(message))
        }
        unsafe pcap_set_snaplen(capture, longest)
        unsafe pcap_set_promisc(capture, 0)
        unsafe pcap_set_immediate_mode(capture, 1)
        unsafe pcap_set_buffer_size(capture, ringLength)
        let status = unsafe pcap_activate(capture)
        // Above zero: a warning.
        if status >= 0, unsafe pcap_setnonblock(capture, 1, &message) == 0,
            unsafe pcap_setdirection(capture, PCAP_D_IN) == 0
        {
            return unsafe capture
        }
        let reason = unsafe String(cString: pcap_geterr(capture))
        unsafe pcap_close(capture)
        if status == PCAP_ERROR_PERM_DENIED { throw .notPermitted(action: action) }
        throw .unsuitable(action: action, reason: reason.isEmpty ? "error \(status)" : reason)
    }

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    // MARK: What it is

    /// `pcap`.
    public var kind: PortKind { .pcap }
    /// The library's own words.
    public var details: String { unsafe String(cString: pcap_lib_version()) }
    /// False: the kernel keeps a copy of every frame.
    public var keepsFramesFromHost: Bool { false }

    /// What it counted, frames for which the kernel found no room included. Any thread; asks the kernel.
    public var statistics: PortStatistics {
        var statistics = counters.statistics
        var kernel = pcap_stat()
        if unsafe pcap_stats(capture, &kernel) == 0 { statistics.receiveDrops += UInt64(kernel.ps_drop) }
        return statistics
    }

    /// By `filter`. Any thread.
    public func own(_ traffic: OwnedTraffic, filter: SocketFilter, hostAddresses: [IPAddress]) throws(PortError) {
        _ = try attached.own(traffic, filter) { filter throws(PortError) in try attach(filter) }
    }

    /// See `InterfacePort.include`. Any thread.
    public func include(_ traffic: OwnedTraffic) throws(PortError) -> Bool {
        try attached.include(traffic) { filter throws(PortError) in try attach(filter) }
    }

    private func attach(_ filter: SocketFilter) throws(PortError) {
        try socket.attach(filter, action: "libpcap on \(name)")
    }

    // MARK: Frames

    /// Lend up to 64 received frames, copied from libpcap's ring. See `Port.receive`.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        var count = 0
        while count < min(frames.count, Self.batch), let (header, bytes) = unsafe Self.next(capture) {
            var frame = buffers.frame(count)
            let length = Int(header.caplen)
            guard header.caplen == header.len, length <= frame.writable.count else {
                counters.receiveDrops.add(1)
                continue
            }
            unsafe frame.writable.pointer().copyMemory(from: bytes, byteCount: length)
            frame.length = length
            frame.offload = OffloadFacts()
            frame.offload.recognizePartialChecksum(in: frame.bytes)
            frame.offload.recognizeSuperFrame(in: frame.bytes, mtu: capabilities.mtu)
            unsafe frames[count] = frame
            count += 1
        }
        counters.received.add(count)
        return count
    }

    /// Send frames one by one, in order. See `Port.transmit`.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        for index in 0..<frames.count {
            let frame = unsafe frames[index]
            let sent = unsafe pcap_inject(capture, UnsafeRawPointer(frame.bytes.pointer()), frame.length)
            if Int(sent) == frame.length { counters.transmitted.add(1) } else { counters.transmitDrops.add(1) }
        }
    }

    /// The next frame that waits; its bytes are libpcap's until the next call.
    private static func next(_ capture: OpaquePointer) -> (header: pcap_pkthdr, bytes: UnsafePointer<UInt8>)? {
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var bytes: UnsafePointer<UInt8>?
        guard unsafe pcap_next_ex(capture, &header, &bytes) == 1, let header = unsafe header, let bytes = unsafe bytes
        else { return nil }
        return unsafe (header.pointee, bytes)
    }
}
