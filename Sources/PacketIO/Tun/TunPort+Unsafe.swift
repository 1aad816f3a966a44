public import Wire

/// Limits of a call. Not in the class: naming its metadata is more than the packet path may do.
private enum Limit {
    /// Frames of one `receive`.
    static var frames: Int { 64 }
    /// Where in a frame the virtio-net header lies: it ends where the Ethernet header does, which takes its place.
    static var header: Int { EthernetHeader.length &- OffloadFacts.virtioHeaderLength }
}

/// Connections that the host itself opens, through a TUN device: what the host's routes lead there is received, what is
/// transmitted the host's stack receives. Each packet gets an Ethernet header in front whose addresses are zero, as the
/// device's own is.
///
/// A system call a packet: it is for the host's own clients, not for a network's.
public final class TunPort: Port, @unchecked Sendable {
    /// The device's name.
    public let name: String
    /// Super-frames and partial checksums pass to the host; from it come neither.
    public let capabilities: PortCapabilities
    private let device: TunDevice
    private let buffers: FrameBuffers
    private let counters = PortCounters()

    /// Make the device in the calling thread's network namespace, with the MTU that the kernel gives it.
    public init(name: String) throws {
        device = try TunDevice(name: name)
        guard let buffers = FrameBuffers(count: Limit.frames, isPrefaulted: true) else {
            throw PortError.noMemory(action: "TUN port \(name)", bytes: Limit.frames * FrameBuffers.stride)
        }
        self.name = name
        self.buffers = buffers
        capabilities = PortCapabilities(mtu: 1500, carriesPartialChecksums: true, carriesSuperFrames: true)
    }

    /// Readable when packets wait.
    public var descriptor: Int32? { device.descriptor }
    /// What it counted; packets that the device had no room for are in its own statistics (`ip -s link`).
    public var statistics: PortStatistics { counters.statistics }

    /// Lend up to 64 received packets. See `Port.receive`.
    @_noAllocation @_noLocks
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        let most = min(frames.count, Limit.frames)
        var count = 0
        while count < most {
            var frame = buffers.frame(count)
            let length = device.read(into: frame.writable.dropping(Limit.header)) &- OffloadFacts.virtioHeaderLength
            guard length > 0 else { break }
            frame.length = EthernetHeader.length &+ length
            frame.offload = unsafe OffloadFacts(virtioHeader: UnsafeRawPointer(frame.bytes.pointer(at: Limit.header)))
            frame.offload.moveChecksum(by: EthernetHeader.length)
            frame.bytes.zero(0, EthernetHeader.length)
            let isV4 = frame.bytes[EthernetHeader.length] >> 4 == 4
            EthernetHeader(unchecked: frame.bytes).type = isV4 ? EtherType.ipv4 : EtherType.ipv6
            unsafe frames[count] = frame
            count &+= 1
        }
        counters.received.add(count)
        return count
    }

    /// Give packets to the host's stack, in order. See `Port.transmit`. The Ethernet headers are overwritten.
    @_noAllocation @_noLocks
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        for index in 0..<frames.count {
            let frame = unsafe frames[index]
            guard frame.length > EthernetHeader.length else {
                counters.transmitDrops.add(1)
                continue
            }
            var offload = frame.offload
            offload.moveChecksum(by: -EthernetHeader.length)
            let packet = frame.bytes.dropping(Limit.header)
            unsafe offload.writeVirtioHeader(to: packet.pointer())
            if device.write(packet) { counters.transmitted.add(1) } else { counters.transmitDrops.add(1) }
        }
    }
}

extension OffloadFacts {
    /// Count offsets from a first byte that lies `bytes` bytes further ahead.
    @_noAllocation @_noLocks
    fileprivate mutating func moveChecksum(by bytes: Int) {
        if needsChecksum { checksumStart = UInt16(truncatingIfNeeded: Int(checksumStart) &+ bytes) }
        if headerLength > 0 { headerLength = UInt16(truncatingIfNeeded: Int(headerLength) &+ bytes) }
    }
}
