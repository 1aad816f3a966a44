import CLinuxNet
import PacketIO
import Wire

extension TunDevice {
    /// Give a packet to the host's stack. The bytes before it are overwritten.
    ///
    /// - Parameters:
    ///   - bytes: `headerLength` bytes or more, then the packet.
    ///   - inner: the packet in `bytes`.
    /// - Returns: whether the device took it.
    func deliver(_ bytes: PacketBytes, _ inner: InnerPacket) -> Bool {
        let framed = bytes.dropping(inner.offset - Self.headerLength).prefix(Self.headerLength + inner.length)
        framed.zero(0, Self.headerLength)
        if let partial = inner.partialChecksum {
            framed[0] = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
            framed.store(UInt16(truncatingIfNeeded: partial.start).bigEndian, 6)
            framed.store(UInt16(truncatingIfNeeded: partial.field - partial.start).bigEndian, 8)
        }
        return write(framed)
    }
}
